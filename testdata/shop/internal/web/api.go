package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"example.com/shop/internal/catalog"
	"example.com/shop/internal/store"
	"example.com/shopkit"
)

// api adds the routes that answer JSON. Any of them may answer what fail says.
func (s *Server) api(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/user", s.user)
	mux.HandleFunc("GET /api/users", s.users)
	mux.HandleFunc("GET /api/models", s.models)
	mux.HandleFunc("POST /api/models", s.addModel)
	mux.HandleFunc("GET /api/models/user-models", s.userModels)
	mux.HandleFunc("GET /api/pending-models", s.pendingModels)
	mux.HandleFunc("POST /api/pending-models/{id}/approve", s.decide(catalog.Approved))
	mux.HandleFunc("POST /api/pending-models/{id}/reject", s.decide(catalog.Rejected))
}

// user answers the profile of ?email=.
func (s *Server) user(w http.ResponseWriter, r *http.Request) {
	u, err := s.store.User(r.Context(), r.FormValue("email"))
	s.answer(w, http.StatusOK, u, err)
}

func (s *Server) users(w http.ResponseWriter, r *http.Request) {
	users, err := s.store.Users(r.Context())
	s.answer(w, http.StatusOK, users, err)
}

func (s *Server) models(w http.ResponseWriter, r *http.Request) {
	list, err := s.store.Models(r.Context())
	s.answer(w, http.StatusOK, list, err)
}

// userModels answers the models of ?owner_id=.
func (s *Server) userModels(w http.ResponseWriter, r *http.Request) {
	owner, ok := number(w, "owner_id", r.FormValue("owner_id"))
	if !ok {
		return
	}
	list, err := s.store.UserModels(r.Context(), owner)
	s.answer(w, http.StatusOK, list, err)
}

func (s *Server) pendingModels(w http.ResponseWriter, r *http.Request) {
	list, err := s.store.PendingModels(r.Context())
	s.answer(w, http.StatusOK, list, err)
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
	s.answer(w, http.StatusCreated, m, err)
}

func (s *Server) decide(v catalog.Verdict) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, ok := number(w, "the model's id", r.PathValue("id"))
		if !ok {
			return
		}
		m, err := s.store.Decide(r.Context(), id, v)
		s.answer(w, http.StatusOK, m, err)
	}
}

// number reads an id out of a request, or answers that it is none.
func number(w http.ResponseWriter, name, value string) (int64, bool) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		shopkit.WriteError(w, http.StatusBadRequest, name+" is not a number")
	}
	return n, err == nil
}

// answer writes v, or what err means.
func (s *Server) answer(w http.ResponseWriter, status int, v any, err error) {
	if err != nil {
		s.fail(w, err)
		return
	}
	shopkit.WriteJSON(w, status, v)
}

// unavailable is the body of a 503.
type unavailable struct {
	Error string `json:"error"`
	// Done is "no" when nothing was stored, so that the request may be sent
	// again, and "unknown" when the database did not say.
	Done string `json:"done"`
}

// fail answers an error: 404 and 409 for those of the request, 503 with the
// body unavailable while the database is away, and 500, which hides it from
// the client, for any other. The last two are told to the log.
func (s *Server) fail(w http.ResponseWriter, err error) {
	away := unavailable{Error: store.ErrUnavailable.Error(), Done: "no"}
	switch {
	case errors.Is(err, store.ErrNotFound):
		shopkit.WriteError(w, http.StatusNotFound, err.Error())
		return
	case errors.Is(err, store.ErrConflict):
		shopkit.WriteError(w, http.StatusConflict, err.Error())
		return
	case errors.Is(err, store.ErrUnknown):
		away = unavailable{Error: store.ErrUnknown.Error(), Done: "unknown"}
	case !errors.Is(err, store.ErrUnavailable):
		s.log.Error("database", "error", err)
		shopkit.WriteError(w, http.StatusInternalServerError, "something went wrong")
		return
	}
	s.log.Warn("database", "error", err)
	w.Header().Set("Retry-After", "1")
	shopkit.WriteJSON(w, http.StatusServiceUnavailable, away)
}
