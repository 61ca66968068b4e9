package logline

import (
	"context"
	"log/slog"
	"time"
)

// Event is one line of the log. It is data: it may be made in one place and
// logged in another.
type Event struct {
	Level slog.Level
	Msg   string
	Attrs []slog.Attr
}

// To logs the event.
func (e Event) To(l *slog.Logger) {
	l.LogAttrs(context.Background(), e.Level, e.Msg, e.Attrs...)
}

func event(level slog.Level, msg string, attrs ...slog.Attr) Event {
	return Event{level, msg, attrs}
}

// With returns the event with attributes added.
func (e Event) With(attrs ...slog.Attr) Event {
	e.Attrs = append(e.Attrs, attrs...)
	return e
}

// withString adds the attribute unless it is empty.
func (e Event) withString(key, value string) Event {
	if value == "" {
		return e
	}
	return e.With(slog.String(key, value))
}

// withGen adds a generation unless it is 0, which stands for none.
func (e Event) withGen(key string, gen int) Event {
	if gen == 0 {
		return e
	}
	return e.With(slog.Int(key, gen))
}

// withCount adds a number unless it is Unknown.
func (e Event) withCount(key string, n int) Event {
	if n == Unknown {
		return e
	}
	return e.With(slog.Int(key, n))
}

// withError adds the error, and the hint that it or one it wraps has.
func (e Event) withError(err error) Event {
	if err == nil {
		return e
	}
	return e.withString("error", err.Error()).withString("hint", HintOf(err))
}

func levelOf(warn bool) slog.Level {
	if warn {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

func gen(n int) slog.Attr { return slog.Int("gen", n) }

// millis rounds to whole milliseconds, the unit of every duration in the log.
func millis(key string, d time.Duration) slog.Attr {
	return slog.Int64(key, d.Round(time.Millisecond).Milliseconds())
}

func ms(took time.Duration) slog.Attr { return millis("ms", took) }

// paths is an array, also when empty.
func paths(names []string) slog.Attr {
	return slog.Any("paths", append([]string{}, names...))
}
