package reload

import "github.com/devguard/devguard/supervisor/change"

// fetched is what pages have of the app, as far as they were told to take it.
type fetched struct {
	styles, scripts change.Digest // of the tree
	made            outdated      // by hooks since
}

// outdated says what of a page is not what there is. Of two the greater counts.
type outdated int

const (
	none outdated = iota
	stylesheets
	allPages
)

// outdatedPages compares what pages have with what there is.
func (s State) outdatedPages() outdated {
	switch {
	case s.tree.Scripts != s.fetched.scripts:
		return allPages
	case s.tree.Styles != s.fetched.styles:
		return max(s.fetched.made, stylesheets)
	}
	return s.fetched.made
}

// refresh has pages take what there is, at the end of a round, or when a restart is refused. They are
// not told while one is due: they reload once the next generation is ready, and before would get the
// app that goes.
func (m *machine) refresh() {
	if m.restartDue() {
		return
	}
	behind := m.outdatedPages()
	m.fetch()
	if behind != none && m.serving() {
		m.effects = append(m.effects, Refresh{Styles: behind == stylesheets})
	}
}

// fetch says that pages take what there is.
func (m *machine) fetch() { m.fetched = fetched{m.tree.Styles, m.tree.Scripts, none} }
