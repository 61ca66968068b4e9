package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"example.com/shop/internal/catalog"
	"example.com/shop/internal/migrate"
	"example.com/shop/internal/models"
	"github.com/devguard/devguard/dbguard"
	"github.com/jackc/pgx/v5"
)

// freshDatabase makes an empty database on the server of DATABASE_URL and
// returns its URL.
func freshDatabase(t *testing.T) string {
	t.Helper()
	server := os.Getenv("DATABASE_URL")
	if server == "" {
		if strings.Contains(os.Getenv("DEVGUARD_TEST_REQUIRE"), "postgres") {
			t.Fatal("DATABASE_URL is not set, and DEVGUARD_TEST_REQUIRE asks for postgres")
		}
		t.Skip("needs postgres: DATABASE_URL is not set")
	}
	admin, err := pgx.Connect(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("shop_test_%d_%d", os.Getpid(), time.Now().UnixNano())
	if _, err := admin.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background() // t.Context has ended by now
		if _, err := admin.Exec(ctx, "DROP DATABASE "+name); err != nil {
			t.Error(err)
		}
		admin.Close(ctx)
	})
	fresh, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	fresh.Path = "/" + name
	return fresh.String()
}

// at is the environment of a database.
func at(url string) dbguard.Option {
	return dbguard.WithEnv(func(name string) (string, bool) { return url, name == "DATABASE_URL" })
}

// migrated returns a store over a fresh database with the shop's tables.
func migrated(t *testing.T) *Store {
	t.Helper()
	db := freshDatabase(t)
	conn, err := pgx.Connect(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	files, err := migrate.Up(t.Context(), conn, os.DirFS("../../migrations"), slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"0001_users.sql", "0002_models.sql", "0003_decisions.sql"}; !slices.Equal(files, want) {
		t.Fatalf("first migration applied %q, want %q", files, want)
	}
	again, err := migrate.Up(t.Context(), conn, os.DirFS("../../migrations"), slog.Default())
	if err != nil || len(again) != 0 {
		t.Fatalf("second migration applied %q, error %v; want nothing", again, err)
	}
	s, err := Open(t.Context(), 5*time.Second, slog.New(slog.DiscardHandler), at(db))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestAddModel(t *testing.T) {
	s := migrated(t)
	users, err := s.Users(t.Context())
	if err != nil || len(users) == 0 {
		t.Fatalf("users %v, error %v", users, err)
	}
	draft := catalog.Draft{OwnerID: users[0].ID, Name: "Difference Engine", PriceCents: 99}
	added, err := s.AddModel(t.Context(), draft)
	if err != nil {
		t.Fatal(err)
	}
	if added.Status != "pending" || added.CreatedAt.IsZero() {
		t.Errorf("added %+v, want it pending and dated", added)
	}
	all, err := s.Models(t.Context())
	if err != nil || len(all) == 0 || all[0] != added {
		t.Errorf("newest model is %+v, error %v, want %+v", all, err, added)
	}
	if _, err := s.AddModel(t.Context(), draft); !errors.Is(err, ErrConflict) {
		t.Errorf("same name again: error %v, want ErrConflict", err)
	}
	draft.OwnerID = -1
	if _, err := s.AddModel(t.Context(), draft); !errors.Is(err, ErrConflict) {
		t.Errorf("unknown owner: error %v, want ErrConflict", err)
	}
}

func TestUser(t *testing.T) {
	s := migrated(t)
	u, err := s.User(t.Context(), "ada@example.com")
	if err != nil || u.Name != "Ada" {
		t.Fatalf("%+v, error %v", u, err)
	}
	if _, err := s.User(t.Context(), "nobody@example.com"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown address: error %v, want ErrNotFound", err)
	}
	list, err := s.UserModels(t.Context(), u.ID)
	if err != nil || len(list) != 1 || list[0].Name != "Analytical Engine" {
		t.Errorf("models %+v, error %v", list, err)
	}
}

func TestDecide(t *testing.T) {
	s := migrated(t)
	m, err := s.AddModel(t.Context(), catalog.Draft{OwnerID: 1, Name: "Difference Engine"})
	if err != nil {
		t.Fatal(err)
	}
	if pending, err := s.PendingModels(t.Context()); err != nil || !slices.Equal(pending, []models.Model{m}) {
		t.Errorf("pending %+v, error %v, want %+v", pending, err, m)
	}
	decided, err := s.Decide(t.Context(), m.ID, catalog.Approved)
	m.Status = "approved"
	if err != nil || decided != m {
		t.Errorf("decided %+v, error %v, want %+v", decided, err, m)
	}
	if _, err := s.Decide(t.Context(), m.ID, catalog.Rejected); !errors.Is(err, ErrConflict) {
		t.Errorf("again: error %v, want ErrConflict", err)
	}
	if _, err := s.Decide(t.Context(), -1, catalog.Rejected); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such model: error %v, want ErrNotFound", err)
	}
	if pending, err := s.PendingModels(t.Context()); err != nil || len(pending) != 0 {
		t.Errorf("pending %+v, error %v, want none", pending, err)
	}
}

// Ten people decide on one model at the same time: one does.
func TestDecideOnce(t *testing.T) {
	s := migrated(t)
	m, err := s.AddModel(t.Context(), catalog.Draft{OwnerID: 1, Name: "Difference Engine"})
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan error)
	for range 10 {
		go func() {
			_, err := s.Decide(context.Background(), m.ID, catalog.Approved)
			answers <- err
		}()
	}
	decided := 0
	for range 10 {
		switch err := <-answers; {
		case err == nil:
			decided++
		case !errors.Is(err, ErrConflict):
			t.Error(err)
		}
	}
	if decided != 1 {
		t.Errorf("%d have decided", decided)
	}
}

// The context of Open is about opening: at a shutdown requests in flight go on
// until Close.
func TestOutlivesItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := Open(ctx, 5*time.Second, slog.New(slog.DiscardHandler), at(freshDatabase(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cancel()
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// A database that does not answer when the shop opens is not its end.
func TestOpenWithoutDatabase(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	s, err := Open(t.Context(), time.Millisecond, slog.New(slog.DiscardHandler), at("postgres://shop@"+closed.Addr().String()+"/shop"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Users(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("read: error %v, want ErrUnavailable", err)
	}
	if _, err := s.AddModel(t.Context(), catalog.Draft{}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("write: error %v, want ErrUnavailable", err)
	}
}

func TestFailedMigrationLeavesNothing(t *testing.T) {
	conn, err := pgx.Connect(t.Context(), freshDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	bad := fstest.MapFS{"0001_bad.sql": {Data: []byte("CREATE TABLE half (id int);\nCREATE TABEL other (id int);\n")}}
	_, err = migrate.Up(t.Context(), conn, bad, slog.Default())
	if err == nil || !strings.HasPrefix(err.Error(), "apply 0001_bad.sql:2: ") {
		t.Errorf("error %v, want it to name line 2", err)
	}
	var tables int
	err = conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").Scan(&tables)
	if err != nil || tables != 0 {
		t.Errorf("%d tables are left, error %v", tables, err)
	}
}
