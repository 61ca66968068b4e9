package logline

import (
	"context"
	"log/slog"
	"time"
)

// Line is one line of the log. It is data: it may be made in one place and
// logged in another.
type Line struct {
	Level slog.Level
	Msg   string
	Attrs []slog.Attr
}

// To writes the line to a log.
func (l Line) To(log *slog.Logger) {
	log.LogAttrs(context.Background(), l.Level, l.Msg, l.Attrs...)
}

func line(level slog.Level, msg string, attrs ...slog.Attr) Line {
	return Line{level, msg, attrs}
}

// With returns the line with attributes added.
func (l Line) With(attrs ...slog.Attr) Line {
	l.Attrs = append(l.Attrs, attrs...)
	return l
}

// withString adds the attribute unless it is empty.
func (l Line) withString(key, value string) Line {
	if value == "" {
		return l
	}
	return l.With(slog.String(key, value))
}

// withGen adds a generation unless it is 0, which stands for none.
func (l Line) withGen(key string, gen int) Line {
	if gen == 0 {
		return l
	}
	return l.With(slog.Int(key, gen))
}

// withCount adds a number unless it is Unknown.
func (l Line) withCount(key string, n int) Line {
	if n == Unknown {
		return l
	}
	return l.With(slog.Int(key, n))
}

// withMillis adds a time unless it is 0, which stands for none.
func (l Line) withMillis(key string, took time.Duration) Line {
	if took == 0 {
		return l
	}
	return l.With(millis(key, took))
}

// withError adds the error, and the hint that it or one it wraps has.
func (l Line) withError(err error) Line {
	if err == nil {
		return l
	}
	return l.withString("error", err.Error()).withString("hint", HintOf(err))
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
