package console

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// New returns the logger of devguard. format is pretty, text or json; anything
// else is text. color is for pretty alone, see UseColor.
func New(w io.Writer, format string, level slog.Level, color bool) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	switch format {
	case "pretty":
		return slog.New(&handler{w: w, level: level, palette: palette{color}, mu: &sync.Mutex{}})
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// handler writes the log for people.
type handler struct {
	w       io.Writer
	mu      *sync.Mutex // one record at a time; shared with what With returns
	level   slog.Level
	palette palette

	attrs []slog.Attr // of With, flat
	group string      // of WithGroup: "a.b."
}

// Enabled reports whether the level is shown.
func (h *handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

// WithAttrs keeps the attributes for every record.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.attrs = slices.Clip(h.attrs)
	for _, a := range attrs {
		with.attrs = flatten(with.attrs, h.group, a)
	}
	return &with
}

// WithGroup prefixes the keys to come.
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	with := *h
	with.group += name + "."
	return &with
}

// Handle writes one record.
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	attrs := slices.Clone(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		attrs = flatten(attrs, h.group, a)
		return true
	})
	s := say(r.Message, r.Level, &fields{attrs: attrs}, h.palette)
	if s.quiet && h.level > slog.LevelDebug {
		return nil
	}
	var b strings.Builder
	if !r.Time.IsZero() {
		b.WriteString(h.palette.faint(r.Time.Format("15:04:05")) + " ")
	}
	b.WriteString(s.style(clean(s.text)))
	if s.more != "" && h.level <= slog.LevelDebug {
		b.WriteString(h.palette.faint(": " + clean(s.more)))
	}
	for _, a := range s.rest {
		b.WriteString(" " + h.palette.faint(clean(a.Key)+"="+clean(value(a.Value))))
	}
	b.WriteByte('\n')
	for _, line := range s.block {
		b.WriteString(indent + line + "\n")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.w, b.String())
	return err
}

// indent sets a block under the text that follows the time.
const indent = "         "

// flatten adds an attribute, a group as its members with dotted keys.
func flatten(to []slog.Attr, prefix string, a slog.Attr) []slog.Attr {
	v := a.Value.Resolve()
	if v.Kind() != slog.KindGroup {
		if a.Key == "" && v.Equal(slog.Value{}) {
			return to // as slog's own handlers: an empty attribute is none
		}
		return append(to, slog.Attr{Key: prefix + a.Key, Value: v})
	}
	if a.Key != "" {
		prefix += a.Key + "."
	}
	for _, member := range v.Group() {
		to = flatten(to, prefix, member)
	}
	return to
}
