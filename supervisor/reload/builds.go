package reload

import "slices"

// Builds counts the builds that succeeded since fast ones were allowed.
type Builds struct {
	Fast     int       // without the go command
	ByGo     []Refused // by it, in the order in which the reasons came up first
	Verified int       // the same program came out when the go command built the same tree
	Differed int       // another one
}

// Refused counts builds by the go command.
type Refused struct {
	Reason string
	Builds int
}

// Refusal is why the go command builds what might have been built without it. The zero Refusal is none.
type Refusal struct {
	Kind string // by which it is counted
	Text string // with what it is about; "" when it was said before
}

// countBuild counts one that succeeded.
func (m *machine) countBuild(ev Built) {
	switch {
	case !m.opts.Fast:
	case ev.Fast:
		m.builds.Fast++
	default:
		m.builds.refuse(ev.Refused.Kind)
	}
}

func (b *Builds) refuse(reason string) {
	b.ByGo = slices.Clone(b.ByGo) // other values of State have it too
	i := slices.IndexFunc(b.ByGo, func(r Refused) bool { return r.Reason == reason })
	if i < 0 {
		b.ByGo, i = append(b.ByGo, Refused{Reason: reason}), len(b.ByGo)
	}
	b.ByGo[i].Builds++
}
