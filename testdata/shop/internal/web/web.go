// Package web is the shop as a browser or a program sees it.
package web

import (
	"context"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"example.com/shop/internal/catalog"
	"example.com/shop/internal/catalog/price"
	"example.com/shop/internal/models"
	"example.com/shop/static"
	"example.com/shopkit"
)

// Store is what the pages need of the database.
type Store interface {
	Ping(context.Context) error
	Users(context.Context) ([]models.User, error)
	User(ctx context.Context, email string) (models.User, error)
	Models(context.Context) ([]models.Model, error)
	UserModels(ctx context.Context, owner int64) ([]models.Model, error)
	PendingModels(context.Context) ([]models.Model, error)
	AddModel(context.Context, catalog.Draft) (models.Model, error)
	Decide(ctx context.Context, id int64, v catalog.Verdict) (models.Model, error)
}

// Server answers the shop's requests.
type Server struct {
	release string
	store   Store
	log     *slog.Logger
	pages   *template.Template
}

// New reads the templates of dir, once, and returns the shop's handler, which
// has reset for its debug endpoint.
func New(release, dir string, s Store, reset http.Handler, log *slog.Logger) (http.Handler, error) {
	pages, err := template.New("").
		Funcs(template.FuncMap{"price": price.Format}).
		ParseGlob(filepath.Join(dir, "*.html"))
	if err != nil {
		return nil, fmt.Errorf("read templates: %w", err)
	}
	srv := &Server{release: release, store: s, log: log, pages: pages}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", srv.index)
	mux.HandleFunc("GET /healthz", srv.healthz)
	mux.HandleFunc("GET /version", srv.version)
	srv.api(mux)
	mux.Handle("/api/debug/reset-db", reset)
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(static.Files)))
	return shopkit.LogRequests(log, limit(mux)), nil
}

// version says, a line each, what this process was built of.
func (s *Server) version(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintf(w, "release %s\nprices %s\nstatic %s\nkit %s\n",
		s.release, catalog.PriceList(), static.Version(), shopkit.Version)
}

func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := s.store.Ping(ctx); err != nil {
		http.Error(w, "database does not answer", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (s *Server) index(w http.ResponseWriter, r *http.Request) {
	users, err := s.store.Users(r.Context())
	if err != nil {
		s.fail(w, err)
		return
	}
	list, err := s.store.Models(r.Context())
	if err != nil {
		s.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	err = s.pages.ExecuteTemplate(w, "layout", map[string]any{
		"Title": "The model shop", "Release": s.release, "Users": users, "Models": list,
	})
	if err != nil {
		s.log.Error("render index", "error", err)
	}
}

// patience is how long a request may take. Behind a pooler whose server is away
// a query waits instead of failing.
const patience = 3 * time.Second

// limit ends the context of a request after patience.
func limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
