package statedir

import (
	"encoding/json"
	"os"
)

// pageFile is for the pages that are open when devguard ends: the next run is asked where this one
// was, and knows them.
const pageFile = "page.json"

// Page is what one run keeps for the pages of the next.
type Page struct {
	Port uint16 `json:"port"` // of the control server
	Key  string `json:"key"`  // secret
}

// KeptPage returns what the run before has kept; the zero value if that cannot be read: pages have to
// be opened anew then.
func (d *Dir) KeptPage() Page {
	var p Page
	b, err := os.ReadFile(d.file(pageFile))
	if err != nil || json.Unmarshal(b, &p) != nil {
		return Page{}
	}
	return p
}

// KeepPage keeps it for the next run.
func (d *Dir) KeepPage(p Page) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.write(pageFile, p)
}
