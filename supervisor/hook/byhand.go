package hook

import (
	"regexp"
	"strings"
)

// password finds the password of a URL, which somebody has written into a command.
var password = regexp.MustCompile(`://[^/?#\s:@]*:[^/?#\s]*@`)

// byHand is a line for sh that does what the hook does; "" when a password is written in its command.
func (s Spec) byHand() string {
	line := strings.TrimSpace(s.Shell)
	if len(s.Command) > 0 {
		words := make([]string, len(s.Command))
		for i, w := range s.Command {
			words[i] = shellWord(w)
		}
		line = strings.Join(words, " ")
	} else if strings.ContainsAny(line, "\n;|&#") {
		line = "sh -c " + shellWord(line) // cd and && are to bind to all of it
	}
	if password.MatchString(line) {
		return ""
	}
	if s.Dir != "" {
		line = "cd " + shellWord(s.Dir) + " && " + line
	}
	return line
}

// special are the characters of sh, with those that it splits words at.
const special = " \t\n|&;<>()$`\\\"'*?[]#~={}!%^"

// shellWord quotes s for sh unless it needs none.
func shellWord(s string) string {
	if s != "" && !strings.ContainsAny(s, special) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
