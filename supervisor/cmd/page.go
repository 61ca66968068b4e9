package cmd

import (
	"context"
	"io"
	"os"
	"strings"

	"github.com/devguard/devguard/supervisor/browse"
	"github.com/devguard/devguard/supervisor/control"
)

// openPage answers `devguard status --open`.
func openPage(ctx context.Context, t *Talk) error {
	var page control.Page
	if err := t.Post(ctx, "/v1/page", &page); err != nil {
		return err
	}
	return ShowPage(t.Out, page.URL)
}

// ShowPage opens the address of the status page in a browser, or has w say what to open.
func ShowPage(w io.Writer, url string) error {
	_, err := io.WriteString(w, pageText(url, browse.Open(url, os.Getenv)))
	return err
}

// pageText is what people are told; failed is why no browser was opened. The code in the address is
// written where somebody has to type it.
func pageText(url string, failed error) string {
	if failed != nil {
		return "status page (" + failed.Error() + "; this address is good once, for two minutes):\n" + url + "\n"
	}
	place, _, _ := strings.Cut(url, "#")
	return "status page: opened " + place + "\n"
}
