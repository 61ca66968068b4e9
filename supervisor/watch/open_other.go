//go:build !unix

package watch

import "os"

func openRegular(name string) (*os.File, error) { return os.Open(name) }
