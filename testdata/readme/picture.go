package main

import (
	"bytes"
	"fmt"
	"html"
	"strings"
	"unicode/utf8"
)

// cell is one character of a terminal and the SGR code that it has, "" for none.
type cell struct {
	char rune
	code string
}

// screen is the lines that a terminal shows of what was written: a carriage return goes back
// in the line, ESC [ K clears the rest of it, ESC [ N m paints.
func screen(said []byte) [][]cell {
	var lines [][]cell
	var line []cell
	code, at := "", 0
	for text := string(said); text != ""; {
		char, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		switch {
		case char == '\n':
			lines, line, at = append(lines, line), nil, 0
		case char == '\r':
			at = 0
		case strings.HasPrefix(text, "[K") && char == '\x1b':
			line, text = line[:at], text[2:]
		case char == '\x1b':
			var rest string
			code, rest, _ = strings.Cut(strings.TrimPrefix(text, "["), "m")
			if code == "0" {
				code = ""
			}
			text = rest
		default:
			line = append(line[:at], cell{char, code})
			at++
		}
	}
	return lines
}

// Measures of the picture in pixels, and its colours.
const (
	high, margin = 19, 16
	paper, ink   = "#1b2028", "#d8dee9"
	columns      = 112 // of a longer line the rest is left out
)

var wide = 8.4 // pixels of a character

var styles = map[string]string{
	"1": ` font-weight="bold"`, "2": ` fill="#7f8a99"`, "31": ` fill="#e06c75"`, "32": ` fill="#98c379"`, "33": ` fill="#e5c07b"`,
}

func svg(lines [][]cell) []byte {
	shown := [][]cell{typed("$ devguard run")}
	for _, line := range lines {
		if strings.HasPrefix(text(line), "keys: ") {
			continue
		}
		if len(line) > columns {
			line = append(line[:columns-1:columns-1], cell{char: '…'})
		}
		shown = append(shown, line)
	}
	full := columns * wide
	width, height := int(full)+2*margin, len(shown)*high+2*margin
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img" aria-label="a terminal session of devguard">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="8" fill="%s"/>`+"\n", width, height, paper)
	fmt.Fprintf(&b, `<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="14" fill="%s" xml:space="preserve">`+"\n", ink)
	for i, line := range shown {
		fmt.Fprintf(&b, `<text y="%d">%s</text>`+"\n", margin+(i+1)*high-5, spans(line))
	}
	b.WriteString("</g>\n</svg>\n")
	return b.Bytes()
}

// spans are the pieces of a line that look alike, each put where a terminal has it: fonts differ
// in how wide they are.
func spans(line []cell) string {
	var b strings.Builder
	for at := 0; at < len(line); {
		end := at
		for end < len(line) && line[end].code == line[at].code {
			end++
		}
		if piece := text(line[at:end]); strings.TrimSpace(piece) != "" {
			fmt.Fprintf(&b, `<tspan x="%.1f"%s textLength="%.1f">%s</tspan>`,
				margin+float64(at)*wide, styles[line[at].code], float64(end-at)*wide, html.EscapeString(piece))
		}
		at = end
	}
	return b.String()
}

func text(line []cell) string {
	var b strings.Builder
	for _, c := range line {
		b.WriteRune(c.char)
	}
	return b.String()
}

func typed(s string) []cell {
	var line []cell
	for _, char := range s {
		line = append(line, cell{char: char})
	}
	return line
}
