package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
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
		{name: "style", method: "GET", path: "/static/style.css", status: 200, want: "body {"},
		{name: "nowhere", method: "GET", path: "/nowhere", status: 404},
		{name: "wrong method", method: "DELETE", path: "/api/models", status: 405},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &memory{models: []models.Model{{ID: 1, Name: "<Engine>", PriceCents: 125000}}, down: c.down}
			h, err := New("r-1", "../../templates", m, slog.New(slog.DiscardHandler))
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
	h, err := New("r-1", t.TempDir(), &memory{}, slog.New(slog.DiscardHandler))
	if err == nil || h != nil {
		t.Errorf("New without templates: %v, %v; want an error alone", h, err)
	}
}
