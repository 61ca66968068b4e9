package hook

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestByHand: the line that a failed hook is told with does in a shell what the hook did, in its
// directory.
func TestByHand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's a dir")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, spec := range map[string]Spec{
		"words":    {Command: []string{"sh", "-c", `echo "$PWD"; exit 3`}},
		"a line":   {Shell: `sh -c 'echo "$PWD"; exit 3'`},
		"a script": {Shell: "false || echo \"$PWD\" # where\nexit 3\n"},
	} {
		spec.Name, spec.Dir = "h", dir
		spec.Output = discard(t)
		res := Run(t.Context(), spec)
		out, err := exec.Command("sh", "-c", res.ByHand()).Output()
		if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 3 || strings.TrimSpace(string(out)) != dir {
			t.Errorf("%s: %q: %q, %v", name, res.ByHand(), out, err)
		}
	}
}

// TestByHandKeepsSecrets: a command that may hold a secret is not repeated; one that holds none is.
func TestByHandKeepsSecrets(t *testing.T) {
	for _, line := range []string{
		"psql postgres://me:s3cret@db/x",
		"PGPASSWORD=s3cret psql",
		"X=s3cret psql",
		"cd db && X=s3cret psql",
		"env X=s3cret psql",
		"export X=s3cret; psql",
		"mysql -uroot -ps3cret app",
		"sh -c 'mysql app -ps3cret'",
		"mysql --password=s3cret app",
		"sshpass -p s3cret ssh db",
		"psql 'host=db password=s3cret'",
		"psql 'host=db user=me'",
		"atlas -d root:s3cret@tcp(db:3306)/app",
		"atlas -d 'root:s3 cret@tcp(db:3306)/app'",
		"goose mysql root:s3c/r#et@/app up",
		"psql 'postgres://db/x?user=me&password=s3cret'",
		"git pull https://s3cret@host/x",
		"curl -u me:s3cret http://db",
		"curl -H 'Authorization: Bearer s3cret' http://db",
		"curl -H 'X-Api-Key: s3cret' http://db",
		"redis-cli -a s3cret ping",
		"deploy --api-key s3cret",
		"deploy --token s3cret",
	} {
		for _, spec := range []Spec{{Shell: line}, {Command: strings.Fields(line)}, {Command: []string{"sh", "-c", line}}} {
			if got := spec.byHand(); got != "" {
				t.Errorf("it repeats a secret: %q", got)
			}
		}
	}
	for _, line := range []string{
		"sqlc generate", "make -C db gen", "go generate ./...", "mkdir -p gen", "npx tailwindcss --input=a.css -o $PWD/b.css",
		"buf generate --path api", "go run example.com/gen@v1.2.3",
	} {
		if got := (Spec{Shell: line, Dir: "/home/me/auth"}).byHand(); got != "cd /home/me/auth && "+line {
			t.Errorf("%s: %q", line, got)
		}
	}
}

func discard(t *testing.T) *os.File {
	f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
