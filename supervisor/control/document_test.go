package control

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestDocument: docs/json.md names every field that is answered.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]bool{}
	collect(reflect.TypeFor[Status](), fields)
	if len(fields) < 60 {
		t.Fatalf("%d fields", len(fields))
	}
	for name := range fields {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/json.md does not name %s", name)
		}
	}
}

// collect adds the names of all fields in the JSON of a type.
func collect(of reflect.Type, fields map[string]bool) {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice:
		collect(of.Elem(), fields)
	case reflect.Struct:
		if of == reflect.TypeFor[time.Time]() || of.PkgPath() == "net/netip" {
			return
		}
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			fields[name] = true
			collect(of.Field(i).Type, fields)
		}
	}
}
