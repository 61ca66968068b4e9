package logline

import "errors"

// An error that knows what the user can do next has a method Hint() string. Its
// Error() does not repeat the hint.

// WithHint returns err with a hint, which may be empty.
func WithHint(err error, hint string) error { return &hinted{err, hint} }

type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }
func (h *hinted) Hint() string  { return h.hint }

// HintOf returns the hint of err: of the first error in its chain that has one,
// "" if none has.
func HintOf(err error) string {
	var h interface {
		error
		Hint() string
	}
	for errors.As(err, &h) {
		if hint := h.Hint(); hint != "" {
			return hint
		}
		err = errors.Unwrap(h)
	}
	return ""
}
