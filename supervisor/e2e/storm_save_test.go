package e2e_test

import (
	"os"
	"path/filepath"
)

// saves are the ways in which editors and tools write a file, as system calls.
var saves = []struct {
	name string
	do   func(path string, data []byte) error
}{
	{"write", func(path string, data []byte) error { return os.WriteFile(path, data, 0o644) }},
	{"write in two", inTwo},
	{"write longer, then truncate", func(path string, data []byte) error {
		if err := os.WriteFile(path, append(data[:len(data):len(data)], "\ngarbage"...), 0o644); err != nil {
			return err
		}
		return os.Truncate(path, int64(len(data)))
	}},
	{"rename over", renameOver},
	{"vim", vim},
	{"jetbrains", func(path string, data []byte) error {
		tmp, old := path+"___jb_tmp___", path+"___jb_old___"
		err := os.WriteFile(tmp, data, 0o644)
		os.Rename(path, old)
		err = firstError(err, os.Rename(tmp, path))
		os.Remove(old)
		return err
	}},
	{"emacs", func(path string, data []byte) error {
		lock := filepath.Join(filepath.Dir(path), ".#"+filepath.Base(path))
		os.Symlink("user@host.1", lock)
		defer os.Remove(lock)
		os.Rename(path, path+"~")
		return os.WriteFile(path, data, 0o644)
	}},
	{"remove and write", func(path string, data []byte) error {
		os.Remove(path)
		return os.WriteFile(path, data, 0o644)
	}},
	{"over a link", func(path string, data []byte) error { // another name of the same file is left
		tmp := path + ".tmp"
		err := firstError(os.WriteFile(tmp, data, 0o644))
		os.Remove(path)
		return firstError(err, os.Link(tmp, path), os.Remove(tmp))
	}},
}

// renameOver replaces a file at one stroke.
func renameOver(path string, data []byte) error {
	tmp := filepath.Join(filepath.Dir(path), ".tmp-"+filepath.Base(path))
	return firstError(os.WriteFile(tmp, data, 0o644), os.Rename(tmp, path))
}

// vim tries whether it may write the directory, moves the old file to a backup,
// writes the new one and removes the backup ('backupcopy' "no").
func vim(path string, data []byte) error {
	probe := filepath.Join(filepath.Dir(path), "4913")
	if err := os.WriteFile(probe, nil, 0o644); err != nil {
		return err
	}
	os.Remove(probe)
	os.Rename(path, path+"~")
	err := os.WriteFile(path, data, 0o644)
	os.Remove(path + "~")
	return err
}

// inTwo writes one half and then the other.
func inTwo(path string, data []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(data[:len(data)/2])
	if _, err2 := f.Write(data[len(data)/2:]); err == nil {
		err = err2
	}
	return firstError(err, f.Close())
}

// firstError returns the first error.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
