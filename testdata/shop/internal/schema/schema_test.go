package schema

import (
	"bytes"
	"os"
	"testing"
)

func TestGeneratedModelsAreCurrent(t *testing.T) {
	src, err := os.ReadFile("../../schema/models.txt")
	if err != nil {
		t.Fatal(err)
	}
	types, err := Parse("schema/models.txt", src)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Generate(types)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../models/models_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("internal/models/models_gen.go is not what schema/models.txt says: run `go run ./cmd/gen`")
	}
}

func TestParseNamesTheLine(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"unknown type", "type User users\n id int\n age strng\n", `m.txt:3: column "age" has the unknown type "strng": want int, text or time`},
		{"column first", "# none\nid int\n", `m.txt:2: column "id" comes before the first type`},
		{"short type line", "type User\n", "m.txt:1: want `type Name table`, got \"type User\""},
		{"lower case type", "type user users\n", `m.txt:1: type name "user" is not an exported Go identifier`},
		{"no column type", "type User users\n id\n", "m.txt:2: want `column type`, got \"id\""},
		{"bad column", "type User users\n 1-2 int\n", `m.txt:2: column name "1-2" does not make a Go identifier`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("m.txt", []byte(c.src))
			if err == nil || err.Error() != c.want {
				t.Errorf("error = %v\nwant    %s", err, c.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("type User users\n id int\n created_at time # when\n"))
	f.Add([]byte("type User users\n \xff int\n"))
	f.Add([]byte("type User \xff\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		types, err := Parse("m.txt", src)
		if err != nil {
			return
		}
		if _, err := Generate(types); err != nil {
			t.Errorf("a schema that parses gives Go that does not: %v", err)
		}
	})
}
