package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"example.com/shop/internal/catalog"
	"example.com/shop/internal/models"
	"example.com/shop/internal/store"
)

// memory is a Store without a database.
type memory struct {
	models []models.Model
	down   error
}

func (m *memory) Ping(context.Context) error { return m.down }

func (m *memory) Users(context.Context) ([]models.User, error) {
	return []models.User{{ID: 1, Email: "ada@example.com", Name: "Ada"}}, m.down
}

func (m *memory) User(_ context.Context, email string) (models.User, error) {
	if email != "ada@example.com" {
		return models.User{}, store.ErrNotFound
	}
	return models.User{ID: 1, Email: email, Name: "Ada"}, m.down
}

func (m *memory) UserModels(_ context.Context, owner int64) ([]models.Model, error) {
	return slices.DeleteFunc(slices.Clone(m.models), func(m models.Model) bool { return m.OwnerID != owner }), m.down
}

func (m *memory) PendingModels(context.Context) ([]models.Model, error) { return m.models, m.down }

func (m *memory) Decide(_ context.Context, id int64, v catalog.Verdict) (models.Model, error) {
	switch {
	case m.down != nil:
		return models.Model{}, m.down
	case id != 1:
		return models.Model{}, store.ErrNotFound
	}
	m.models[0].Status = string(v)
	return m.models[0], nil
}

func (m *memory) Models(context.Context) ([]models.Model, error) { return m.models, m.down }

func (m *memory) AddModel(_ context.Context, d catalog.Draft) (models.Model, error) {
	for _, have := range m.models {
		if have.Name == d.Name {
			return models.Model{}, store.ErrConflict
		}
	}
	added := models.Model{ID: int64(len(m.models) + 1), OwnerID: d.OwnerID, Name: d.Name, PriceCents: d.PriceCents}
	m.models = append(m.models, added)
	return added, m.down
}

// teapot stands for the handler that resets.
var teapot = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })

func TestRoutes(t *testing.T) {
	for _, c := range []struct {
		name, method, path, body string
		down                     error
		status                   int
		want                     string
	}{
		{name: "page", method: "GET", path: "/", status: 200, want: "1,250.00 EUR"},
		{name: "page escapes", method: "GET", path: "/", status: 200, want: "&lt;Engine&gt;"},
		{name: "page without database", method: "GET", path: "/", down: errors.New("down"), status: 500},
		{name: "healthy", method: "GET", path: "/healthz", status: 200, want: "ok\n"},
		{name: "ill", method: "GET", path: "/healthz", down: errors.New("down"), status: 503},
		{name: "version", method: "GET", path: "/version", down: errors.New("down"), status: 200, want: "release r-1\nprices prices-"},
		{name: "users", method: "GET", path: "/api/users", status: 200, want: `"email":"ada@example.com"`},
		{name: "models", method: "GET", path: "/api/models", status: 200, want: `"price_cents":125000`},
		{name: "create", method: "POST", path: "/api/models", body: `{"owner_id":1,"name":"New","price_cents":5}`, status: 201, want: `"id":2`},
		{name: "create twice", method: "POST", path: "/api/models", body: `{"owner_id":1,"name":"<Engine>"}`, status: 409},
		{name: "create nameless", method: "POST", path: "/api/models", body: `{"owner_id":1}`, status: 422, want: "name is missing"},
		{name: "create garbage", method: "POST", path: "/api/models", body: `{`, status: 400},
		{name: "create mistyped", method: "POST", path: "/api/models", body: `{"nmae":"x"}`, status: 400},
		{name: "create during COMMIT", method: "POST", path: "/api/models", body: `{"owner_id":1,"name":"New"}`, down: store.ErrUnknown, status: 503, want: `"done":"unknown"`},
		{name: "create without database", method: "POST", path: "/api/models", body: `{"owner_id":1,"name":"New"}`, down: store.ErrUnavailable, status: 503, want: `{"error":"the database is not available","done":"no"}`},
		{name: "profile", method: "GET", path: "/api/user?email=ada@example.com", status: 200, want: `"name":"Ada"`},
		{name: "profile of nobody", method: "GET", path: "/api/user", status: 404, want: "not found"},
		{name: "profile without database", method: "GET", path: "/api/user?email=ada@example.com", down: store.ErrUnavailable, status: 503, want: `"done":"no"`},
		{name: "a user's models", method: "GET", path: "/api/models/user-models?owner_id=7", status: 200, want: `"owner_id":7`},
		{name: "another's models", method: "GET", path: "/api/models/user-models?owner_id=8", status: 200, want: "[]"},
		{name: "no user's models", method: "GET", path: "/api/models/user-models?owner_id=x", status: 400, want: "owner_id is not a number"},
		{name: "pending", method: "GET", path: "/api/pending-models", status: 200, want: `"id":1`},
		{name: "approve", method: "POST", path: "/api/pending-models/1/approve", status: 200, want: `"status":"approved"`},
		{name: "reject", method: "POST", path: "/api/pending-models/1/reject", status: 200, want: `"status":"rejected"`},
		{name: "approve nothing", method: "POST", path: "/api/pending-models/2/approve", status: 404},
		{name: "approve garbage", method: "POST", path: "/api/pending-models/x/approve", status: 400},
		{name: "approve again", method: "POST", path: "/api/pending-models/1/approve", down: store.ErrConflict, status: 409},
		{name: "forget", method: "POST", path: "/api/pending-models/1/forget", status: 404},
		{name: "reset", method: "POST", path: "/api/debug/reset-db", status: 418},
		{name: "style", method: "GET", path: "/static/style.css", status: 200, want: "body {"},
		{name: "nowhere", method: "GET", path: "/nowhere", status: 404},
		{name: "wrong method", method: "DELETE", path: "/api/models", status: 405},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &memory{models: []models.Model{{ID: 1, OwnerID: 7, Name: "<Engine>", PriceCents: 125000}}, down: c.down}
			h, err := New("r-1", "../../templates", m, teapot, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, httptest.NewRequest(c.method, c.path, strings.NewReader(c.body)))
			if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.want) {
				t.Errorf("%d %s\nwant %d with %q", rec.Code, rec.Body, c.status, c.want)
			}
		})
	}
}

func TestMissingTemplates(t *testing.T) {
	var h http.Handler
	h, err := New("r-1", t.TempDir(), &memory{}, teapot, slog.New(slog.DiscardHandler))
	if err == nil || h != nil {
		t.Errorf("New without templates: %v, %v; want an error alone", h, err)
	}
}
