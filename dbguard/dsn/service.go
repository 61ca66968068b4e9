package dsn

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// dissolve returns s with what its service stands for in place of the name:
// the settings of a connection string win over the file, the file over the
// environment (libpq, "The Connection Service File"). pgconn could do this, but
// it loses options that it does not know, and knows nothing of env_files.
func (s Settings) dissolve(dir string) (Settings, error) {
	name := s.values["service"]
	if name == "" {
		return s, nil
	}
	file := s.values["servicefile"]
	if file == "" {
		file = defaultServiceFile()
	} else if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	service, err := readService(file, name)
	if err != nil {
		return s, err
	}
	values := maps.Clone(s.under)
	if values == nil {
		values = map[string]string{}
	}
	maps.Copy(values, service)
	maps.Copy(values, s.values)
	delete(values, "service")
	delete(values, "servicefile")
	return Settings{values: values}, nil
}

// defaultServiceFile is where libpq and pgconn look.
func defaultServiceFile() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(os.Getenv("APPDATA"), "postgresql", ".pg_service.conf")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".pg_service.conf")
}

// readService returns the settings of one section of a service file. Errors do
// not quote it: it may hold passwords.
func readService(file, name string) (map[string]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("the service file cannot be read: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, fmt.Errorf("the service file cannot be read: %w", err)
	}
	values, err := parseService(text, name)
	if err != nil {
		return nil, fmt.Errorf("service file %s: %w", file, err)
	}
	return values, nil
}

// parseService reads the first section of that name, as libpq does.
func parseService(text []byte, name string) (map[string]string, error) {
	var values map[string]string
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		section := strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]")
		switch {
		case section && values != nil:
			return values, nil
		case section && line == "["+name+"]":
			values = map[string]string{}
		case section || values == nil || line == "" || line[0] == '#':
		default:
			key, value, found := strings.Cut(line, "=")
			key, value = keyword(strings.TrimSpace(key)), strings.TrimSpace(value)
			if !found || !word(key) {
				return nil, errors.New("a line of the service is not keyword=value")
			}
			if value != "" && key != "service" && key != "servicefile" { // libpq refuses a service within a service
				values[key] = value
			}
		}
	}
	if values == nil {
		return nil, errors.New("it has no such service")
	}
	return values, nil
}
