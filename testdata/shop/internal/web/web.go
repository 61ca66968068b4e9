// Package web is the shop as a browser or a program sees it.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"example.com/shop/internal/catalog"
	"example.com/shop/internal/catalog/price"
	"example.com/shop/internal/models"
	"example.com/shop/internal/store"
	"example.com/shop/static"
	"example.com/shopkit"
)

// Store is what the pages need of the database.
type Store interface {
	Ping(context.Context) error
	Users(context.Context) ([]models.User, error)
	Models(context.Context) ([]models.Model, error)
	AddModel(context.Context, catalog.Draft) (models.Model, error)
}

// Server answers the shop's requests.
type Server struct {
	release string
	store   Store
	log     *slog.Logger
	pages   *template.Template
}

// New reads the templates of dir, once, and returns the shop's handler.
func New(release, dir string, s Store, log *slog.Logger) (http.Handler, error) {
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
	mux.HandleFunc("GET /api/users", srv.users)
	mux.HandleFunc("GET /api/models", srv.models)
	mux.HandleFunc("POST /api/models", srv.addModel)
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(static.Files)))
	return shopkit.LogRequests(log, mux), nil
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

func (s *Server) users(w http.ResponseWriter, r *http.Request) {
	users, err := s.store.Users(r.Context())
	if err != nil {
		s.fail(w, err)
		return
	}
	shopkit.WriteJSON(w, http.StatusOK, users)
}

func (s *Server) models(w http.ResponseWriter, r *http.Request) {
	list, err := s.store.Models(r.Context())
	if err != nil {
		s.fail(w, err)
		return
	}
	shopkit.WriteJSON(w, http.StatusOK, list)
}

func (s *Server) addModel(w http.ResponseWriter, r *http.Request) {
	var draft catalog.Draft
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&draft); err != nil {
		shopkit.WriteError(w, http.StatusBadRequest, err.Error())
		return
	}
	if err := draft.Check(); err != nil {
		shopkit.WriteError(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	m, err := s.store.AddModel(r.Context(), draft)
	switch {
	case errors.Is(err, store.ErrConflict):
		shopkit.WriteError(w, http.StatusConflict, err.Error())
	case err != nil:
		s.fail(w, err)
	default:
		shopkit.WriteJSON(w, http.StatusCreated, m)
	}
}

// fail hides an error of ours from the client and tells the log.
func (s *Server) fail(w http.ResponseWriter, err error) {
	s.log.Error("database", "error", err)
	shopkit.WriteError(w, http.StatusInternalServerError, "something went wrong")
}
