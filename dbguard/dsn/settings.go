package dsn

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// Settings are the keywords of one connection string, under libpq's names
// ("dbname", "sslmode"). The zero value is a connection with every default.
type Settings struct {
	values map[string]string
	under  map[string]string // from the environment, where values and the service file have nothing
}

// Get returns the value of a keyword, "" when it is not set.
func (s Settings) Get(key string) string { return s.values[key] }

// secret reports whether the value of a keyword must never be printed.
func secret(key string) bool {
	switch key {
	case "password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key":
		return true
	}
	return false
}

// String returns the settings as keywords, passwords replaced.
func (s Settings) String() string {
	values := maps.Clone(s.values)
	for key := range values {
		if secret(key) {
			values[key] = masked
		}
	}
	return Settings{values: values}.unmasked()
}

// unmasked returns the settings as a connection string.
func (s Settings) unmasked() string {
	var b strings.Builder
	for i, key := range slices.Sorted(maps.Keys(s.values)) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(key + "=" + quote(s.values[key]))
	}
	return b.String()
}

// Format makes every verb of fmt print what String prints.
func (s Settings) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// LogValue makes slog print what String prints.
func (s Settings) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Scrub replaces the passwords of s wherever they stand in text, which may be
// an error of a driver or of a server. It is the second line of defence: nobody
// puts a password there on purpose. So it leaves alone what is too short to be
// told from ordinary words, and a password that is the user's name
// (postgres:postgres), where masking the name would give it away.
func (s Settings) Scrub(text string) string {
	for _, values := range []map[string]string{s.values, s.under} {
		for key, value := range values {
			if secret(key) && len(value) >= 6 && value != s.Get("user") && value != s.Get("dbname") {
				text = strings.ReplaceAll(text, value, masked)
			}
		}
	}
	return Redact(text)
}

// Equal reports whether both hold the same keywords with the same values.
func (s Settings) Equal(other Settings) bool { return maps.Equal(s.values, other.values) }

// quote writes a value as libpq's keyword form wants it.
func quote(value string) string {
	if value != "" && !strings.ContainsAny(value, " \t\n\r\v\f'\\") {
		return value
	}
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}
