package hook

import (
	"regexp"
	"strings"
)

// mayBeSecret finds what may hold or name a secret that somebody has written into a command: words for such,
// mysql's -ps3cret, curl's -u, what stands before an @ in URLs and DSNs, and assignments, which are of
// the environment or of a keyword DSN. It rather finds one too many: the user can read the command elsewhere.
var mayBeSecret = regexp.MustCompile(`(?is)pass|pwd|secret|token|key|auth|credential|cookie` +
	`|(^|[\s'"])-p\S|\s-u|redis-cli|:.*@|//\S+@|(^|[^\w-])[a-z_]\w*=`)

// directory finds variables that the shell sets itself, though their names have pwd in them.
var directory = regexp.MustCompile(`\$(PWD|OLDPWD|\{PWD\}|\{OLDPWD\})`)

// keepsNothing reports whether a command is certain to hold no secret.
func keepsNothing(command string) bool {
	return !mayBeSecret.MatchString(directory.ReplaceAllString(command, ""))
}

// byHand is a line for sh that does what the hook does; "" when a secret may be written in its command.
func (s Spec) byHand() string {
	line := strings.TrimSpace(s.Shell)
	if !keepsNothing(line + strings.Join(s.Command, " ")) {
		return ""
	}
	if len(s.Command) > 0 {
		words := make([]string, len(s.Command))
		for i, w := range s.Command {
			words[i] = shellWord(w)
		}
		line = strings.Join(words, " ")
	} else if strings.ContainsAny(line, "\n;|&#") {
		line = "sh -c " + shellWord(line) // cd and && are to bind to all of it
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
