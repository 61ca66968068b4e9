package console

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// sentence is a record in words.
type sentence struct {
	level slog.Level
	text  string // cleaned and painted by the handler
	style func(string) string
	block []string // lines under it, clean and painted
	rest  []slog.Attr
	quiet bool   // goes well and says nothing new: shown at debug only
	more  string // behind the text, at debug only
}

// say finds the words for a record. What an attribute adds is in the words, in
// the block, or left in rest; only numbers that a person has no use for are
// dropped (gen, pid of what goes well).
func say(msg string, level slog.Level, f *fields, p palette) sentence {
	s := sentence{level: level, text: msg, style: p.plain}
	switch {
	case level >= slog.LevelError:
		s.style = p.red
	case level >= slog.LevelWarn:
		s.style = p.yellow
	case level < slog.LevelInfo:
		s.style = p.faint
	}
	if words := wording[msg]; words != nil {
		f.drop("gen")
		words(&s, f, p)
	} else {
		s.text = prefix(level) + msg
	}
	if lines := f.lines("error"); len(lines) > 0 {
		s.text += ": " + lines[0]
		s.block = append(s.block, lines[1:]...)
	}
	for _, hint := range f.lines("hint") { // several errors have one each
		s.addBlock(p, "hint: "+hint)
	}
	s.rest = f.rest()
	return s
}

// prefix marks what is not good news without a colour, in lines that have no
// words of their own.
func prefix(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "error: "
	case level >= slog.LevelWarn:
		return "warning: "
	}
	return ""
}

// addBlock puts lines under the text.
func (s *sentence) addBlock(p palette, text string) {
	for line := range strings.Lines(text) {
		s.block = append(s.block, p.faint(clean(expand(strings.TrimRight(line, "\r\n")))))
	}
}

// fields are the attributes of a record that are not in words yet.
type fields struct{ attrs []slog.Attr }

// take removes an attribute: the last of that key, as a later one wins.
func (f *fields) take(key string) (slog.Value, bool) {
	for i := len(f.attrs) - 1; i >= 0; i-- {
		if a := f.attrs[i]; a.Key == key {
			f.attrs = append(f.attrs[:i:i], f.attrs[i+1:]...)
			return a.Value, true
		}
	}
	return slog.Value{}, false
}

func (f *fields) drop(keys ...string) {
	for _, key := range keys {
		f.take(key)
	}
}

func (f *fields) rest() []slog.Attr { return f.attrs }

// text is an attribute as a string, or "".
func (f *fields) text(key string) string {
	v, ok := f.take(key)
	if !ok {
		return ""
	}
	return v.String()
}

// lines is an attribute as lines, clean, or none.
func (f *fields) lines(key string) []string {
	text := strings.TrimSpace(f.text(key))
	if text == "" {
		return nil
	}
	var out []string
	for line := range strings.Lines(text) {
		out = append(out, clean(expand(strings.TrimRight(line, "\r\n"))))
	}
	return out
}

// count is an attribute as an integer, 0 if it is none.
func (f *fields) count(key string) int64 {
	v, ok := f.take(key)
	if !ok || v.Kind() != slog.KindInt64 {
		return 0
	}
	return v.Int64()
}

// list is an attribute as strings.
func (f *fields) list(key string) []string {
	v, _ := f.take(key)
	list, _ := v.Any().([]string)
	return list
}

// took is a number of milliseconds in words.
func (f *fields) took(key string) string { return duration(f.count(key)) }

// duration says 412 ms, 1.3 s, 2 min 5 s.
func duration(ms int64) string {
	switch d := time.Duration(ms) * time.Millisecond; {
	case ms < 1000:
		return fmt.Sprintf("%d ms", ms)
	case ms < 59950:
		return fmt.Sprintf("%.1f s", d.Seconds())
	default:
		d = d.Round(time.Second)
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
}

// number says "1 session", "7 sessions".
func number(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatInt(n, 10) + " " + many
}

// names says "a", "a and b", "a, b and 3 more".
func names(list []string) string {
	switch len(list) {
	case 0:
		return "something"
	case 1:
		return list[0]
	case 2:
		return list[0] + " and " + list[1]
	case 3:
		return list[0] + ", " + list[1] + " and " + list[2]
	}
	return fmt.Sprintf("%s, %s and %d more", list[0], list[1], len(list)-2)
}

// value is an attribute in a line that has no words for it.
func value(v slog.Value) string {
	s := v.String()
	if list, ok := v.Any().([]string); ok {
		s = strings.Join(list, ",")
	}
	if s == "" || strings.ContainsAny(s, " \t\r\n\"=") {
		return strconv.Quote(s)
	}
	return s
}
