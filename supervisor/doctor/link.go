package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/devguard/devguard/supervisor/goflags"
)

// longLink is from how many packages beside the standard library on it is said what a link costs.
// The linker takes 0.3 s for the 50 of a service with a router and a driver, of which hardly anything
// can be spared, and 0.5 s for the 220 of a larger one. Half way is a guess.
const longLink = 150

// LinkIsLong reports whether the link of so many packages beside the standard library is worth a word.
func LinkIsLong(packages int) bool { return packages >= longLink }

// Link is what the linker reads after every edit, as a program of this size has it.
type Link struct {
	Packages int
	Bytes    int64 // of archives, without the user's own packages; 0 when some are not compiled
	Modules  []LinkModule

	Flags []string // build.flags
	Tags  []string // all that are set, by GOFLAGS too
}

// LinkModule is a module that brings a good part of it.
type LinkModule struct {
	Path     string
	Packages int    // that nothing else needs, those of other modules included
	Bytes    int64  // of them; 0 when not known
	Within   string // another of these modules that brings this one; "" for none
	Exit     *Exit  // nil when no build tag is known to leave it out
}

// Exit is a build tag that leaves a module out.
type Exit struct {
	Tag      string
	File     string // that is left out, and by which the module comes in
	Packages int    // that the program has with the tag
}

func (l Link) examine(r *Report) {
	const check = "link"
	named := l.named()
	text := fmt.Sprintf("each build links %s", many(l.Packages, "package"))
	if l.Bytes > 0 {
		text += fmt.Sprintf("; those that are not your own are %s of compiled code", size(l.Bytes))
	} else {
		text += "; how large they are is known when all are compiled"
	}
	if len(named) == 0 {
		text += "; no module alone brings a twentieth of that"
	}
	r.ok(check, text)
	var tags []string
	for _, m := range named {
		text, tag := l.about(m)
		switch {
		case tag == "":
		case slices.Contains(tags, tag):
			text += fmt.Sprintf("; the build tag %s leaves it out, too", tag)
		default:
			tags = append(tags, tag)
			text += fmt.Sprintf("; the build tag %s leaves it out, with what %s does: %s less in all", tag, m.Exit.File, many(l.Packages-m.Exit.Packages, "package"))
		}
		r.ok(check, text)
	}
	if len(tags) > 0 {
		r.ok(check, l.remedy(tags))
	}
}

// named are the modules to speak of. One that comes with another one is spoken of only when it can be
// left out, and the other one cannot with the same tag.
func (l Link) named() (list []LinkModule) {
	tags := map[string]string{}
	for _, m := range l.Modules {
		if m.Exit != nil {
			tags[m.Path] = m.Exit.Tag
		}
	}
	for _, m := range l.Modules {
		if m.Within == "" || m.Exit != nil && tags[m.Within] != m.Exit.Tag {
			list = append(list, m)
		}
	}
	return list
}

// about says what a module costs, and the tag that leaves it out, "" if there is none.
func (l Link) about(m LinkModule) (text, tag string) {
	text = fmt.Sprintf("%s brings %s that nothing else needs", m.Path, many(m.Packages, "package"))
	if m.Bytes > 0 {
		text += fmt.Sprintf(", %s (%d%%)", size(m.Bytes), (100*m.Bytes+l.Bytes/2)/l.Bytes)
	}
	if m.Exit != nil {
		tag = m.Exit.Tag
	}
	return text, tag
}

// remedy says how tags are set in devguard.toml, beside those that are set. Other flags are not
// repeated: their values may be secrets.
func (l Link) remedy(tags []string) string {
	words := fmt.Sprintf(`"-tags", %q`, strings.Join(slices.Concat(l.Tags, tags), ","))
	own := goflags.Parse(l.Flags)
	text := "to leave out what you can do without, "
	switch {
	case len(own.Without("tags")) == 0:
		text += "write flags = [" + words + "]"
	case own.Has("tags"):
		text += "write " + words + " in place of -tags in flags"
	default:
		text += "add " + words + " to flags"
	}
	text += " below [build] in devguard.toml"
	if len(tags) > 1 {
		text += ", or fewer of these tags"
	}
	return text
}

func size(bytes int64) string {
	if bytes < 1e6 {
		return "less than 1 MB"
	}
	return fmt.Sprintf("%d MB", (bytes+5e5)/1e6)
}
