package run

import (
	"os"
	"path/filepath"
)

// ShopDir is where the shop is below a copy, and in the repository.
const ShopDir = "testdata/shop"

// CopyShop copies into dir the shop and what its go.mod replaces: the module
// beside it and the library dbguard.
func CopyShop(repo, dir string) error {
	for _, name := range []string{"testdata/shop", "testdata/shopkit"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(repo, name))); err != nil {
			return err
		}
	}
	// What a devguard left that ran there.
	if err := os.RemoveAll(filepath.Join(dir, ShopDir, ".devguard")); err != nil {
		return err
	}
	if err := copyLibrary(repo, dir); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, ".gitignore"), []byte("tmp/\n"), 0o644)
}

// copyLibrary copies what a shop needs of repo's own module.
func copyLibrary(repo, dir string) error {
	files, err := filepath.Glob(filepath.Join(repo, "dbguard", "*.go"))
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "dbguard"), 0o755); err != nil {
		return err
	}
	for _, file := range append(files, filepath.Join(repo, "go.mod")) {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(repo, file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
