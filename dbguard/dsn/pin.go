package dsn

import (
	"maps"
	"slices"
	"strconv"
)

// Pin returns f's value so that it means in the environment after what it
// means in before: a connection string that is not rewritten takes up what it
// was given by variables that leave or change. A service is written out (libpq
// before 18 takes its file from the environment alone). The value stays as it
// is when nothing concerns it.
func (f Found) Pin(before, after map[string]string, dir string) (string, error) {
	own, err := Parse(f.Value)
	if err != nil {
		return "", err
	}
	given := own.With(before)
	full, err := given.dissolve(dir)
	if err != nil {
		return "", err
	}
	add, err := full.shield(before, after, dir)
	if err != nil {
		return "", err
	}
	for _, key := range slices.Sorted(maps.Keys(full.values)) {
		name := variableOf(key)
		changed := name != "" && before[name] != after[name]
		if v := full.values[key]; own.Get(key) == "" && (changed || v != before[name]) {
			add = append(add, pair{key, v})
		}
	}
	if len(add) == 0 && given.Get("service") == "" {
		return f.Value, nil
	}
	return write(f.Value, add)
}

// write returns conn with its holes filled by add, and without a service.
func write(conn string, add []pair) (string, error) {
	drop := func(key string) bool {
		return key == "service" || key == "servicefile" ||
			slices.ContainsFunc(add, func(p pair) bool { return p.key == key }) // given, but empty
	}
	conn = trim(conn)
	if !IsURL(conn) {
		return editKeywords(conn, add, drop)
	}
	p := splitURL(conn)
	add = slices.DeleteFunc(add, func(a pair) bool {
		if a.key != "dbname" {
			return false
		}
		p.dbname = escape(a.value) // node's pg knows no parameter for it
		return true
	})
	var err error
	p.query, err = editQuery(p.query, add, drop)
	return p.String(), err
}

// shield returns the defaults of what s leaves open and after would fill.
func (s Settings) shield(before, after map[string]string, dir string) ([]pair, error) {
	var open []string
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if key := variables[name]; connects(key) && after[name] != "" && before[name] != after[name] && s.Get(key) == "" {
			open = append(open, key)
		}
	}
	if len(open) == 0 {
		return nil, nil
	}
	config, _, err := s.Config(dir)
	if err != nil {
		return nil, err
	}
	defaults := map[string]string{"host": config.Host, "port": strconv.Itoa(int(config.Port)), "user": config.User,
		"password": config.Password, "dbname": config.User, "sslmode": "prefer"}
	var pairs []pair
	for _, key := range open {
		if v := defaults[key]; v != "" {
			pairs = append(pairs, pair{key, v})
		}
	}
	return pairs, nil
}

// variableOf returns the variable that fills in a keyword, "" when none does.
func variableOf(key string) string {
	for name, k := range variables {
		if k == key {
			return name
		}
	}
	return ""
}
