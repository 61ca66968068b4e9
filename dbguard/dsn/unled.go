package dsn

import (
	"cmp"
	"regexp"
	"slices"

	"github.com/devguard/devguard/supervisor/dotenv"
)

// Unled is a variable that holds the address of a Postgres, and that nothing leads to
// devguard.
type Unled struct {
	Name string
	File string // where it is set: "" for the environment, else ".env"
	Form bool   // it is written in a way that Parse does not read
}

// elsewhere matches addresses of Postgres in the words of other drivers: JDBC, SQLAlchemy,
// Npgsql.
var elsewhere = regexp.MustCompile(`(?i)^(jdbc:postgresql:|postgres(ql)?\+[a-z0-9]+://)|^(.*;)?\s*(host|server)\s*=[^;]+;(.*;)?\s*database\s*=`)

// FindUnled returns them by name: those of .env that names does not have, which an app
// reads by itself, and those that are written for other drivers.
func FindUnled(env map[string]string, files Files, names Names) (list []Unled) {
	named := func(name string) bool {
		return slices.Contains(names.URLs, name) || slices.Contains(names.Direct, name)
	}
	for name, value := range env {
		if !named(name) && elsewhere.MatchString(value) { // of a named one Find says so
			list = append(list, Unled{Name: name, Form: true})
		}
	}
	inMain, _ := dotenv.Parse(string(files[main]))
	for name, value := range inMain {
		_, set := env[name]
		switch {
		case set, named(name):
		case elsewhere.MatchString(value):
			list = append(list, Unled{Name: name, File: main, Form: true})
		case IsURL(value) || isKeywords(value):
			list = append(list, Unled{Name: name, File: main})
		}
	}
	slices.SortFunc(list, func(a, b Unled) int { return cmp.Compare(a.Name, b.Name) })
	return list
}
