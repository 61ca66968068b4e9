// Gen writes internal/models/models_gen.go from schema/models.txt.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"example.com/shop/internal/schema"
)

func main() {
	dir := flag.String("dir", ".", "the shop's directory")
	flag.Parse()
	if err := run(*dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir string) error {
	const in = "schema/models.txt"
	src, err := os.ReadFile(filepath.Join(dir, in))
	if err != nil {
		return err
	}
	types, err := schema.Parse(in, src)
	if err != nil {
		return err
	}
	code, err := schema.Generate(types)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "internal/models/models_gen.go"), code, 0o644)
}
