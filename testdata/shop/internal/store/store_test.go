package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"example.com/shop/internal/catalog"
	"example.com/shop/internal/migrate"
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
		t.Skip("DATABASE_URL is not set")
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
	if want := []string{"0001_users.sql", "0002_models.sql"}; !slices.Equal(files, want) {
		t.Fatalf("first migration applied %q, want %q", files, want)
	}
	again, err := migrate.Up(t.Context(), conn, os.DirFS("../../migrations"), slog.Default())
	if err != nil || len(again) != 0 {
		t.Fatalf("second migration applied %q, error %v; want nothing", again, err)
	}
	s, err := Open(t.Context(), db, 5*time.Second, slog.Default())
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
