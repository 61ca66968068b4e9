package dsn

import "regexp"

// masked stands where a password stood.
const masked = "xxxxx"

// The user part of a URL of any scheme, greedy up to its last @ before the
// next blank: a password may hold unescaped : / ? and @, and hiding a piece of a host too
// much is better than showing a piece of a password.
var userinfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://[^\s:@/]*):[^\s"'` + "`" + `]*@`)

// A password as a keyword or as a parameter, quoted or not.
var keywordPassword = regexp.MustCompile(
	`(?i)\b((?:pg|ssl)?password|pwd|oauth_client_secret|scram_(?:client|server)_key)(\s*=\s*)('(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?|[^\s&"']+)`)

// Redact replaces the passwords in text: those of URLs and those given as
// "password=". It is for text whose secrets are not known; Settings.Scrub knows
// them.
func Redact(text string) string {
	text = userinfo.ReplaceAllString(text, "${1}:"+masked+"@")
	return keywordPassword.ReplaceAllString(text, "${1}${2}"+masked)
}
