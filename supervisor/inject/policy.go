package inject

import (
	"slices"
	"strings"
)

// Policy is what the Content-Security-Policy of a page says of a script of ours that has a URL on
// the page's own origin, and that opens a connection there.
type Policy struct {
	Runs     bool   // it may run, if it has the nonce
	Nonce    string // "" when it needs none
	Connects bool   // it may connect to its origin
}

// PolicyOf reads the values of all headers Content-Security-Policy of an answer.
func PolicyOf(headers []string) Policy {
	p := Policy{Runs: true, Connects: true}
	for _, value := range headers {
		for policy := range strings.SplitSeq(value, ",") {
			p = p.under(directives(policy))
		}
	}
	return p
}

// directives reads one policy. Of two with one name the first counts.
func directives(policy string) map[string][]string {
	d := map[string][]string{}
	for text := range strings.SplitSeq(policy, ";") {
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		name := strings.ToLower(words[0])
		if _, known := d[name]; !known {
			d[name] = words[1:]
		}
	}
	return d
}

// under returns what is left of p under one more policy.
func (p Policy) under(d map[string][]string) Policy {
	if sandbox, is := d["sandbox"]; is && !(has(sandbox, "allow-scripts") && has(sandbox, "allow-same-origin")) {
		return Policy{}
	}
	if sources, is := first(d, "script-src-elem", "script-src", "default-src"); is {
		nonce, ok := script(sources)
		if nonce != "" && p.Nonce != "" && nonce != p.Nonce {
			ok = false // a script has one
		}
		p.Runs = p.Runs && ok
		if nonce != "" {
			p.Nonce = nonce
		}
	}
	if sources, is := first(d, "connect-src", "default-src"); is {
		p.Connects = p.Connects && own(sources)
	}
	if !p.Runs {
		p.Nonce = ""
	}
	return p
}

func first(d map[string][]string, names ...string) ([]string, bool) {
	for _, name := range names {
		if sources, is := d[name]; is {
			return sources, true
		}
	}
	return nil, false
}

// script reports whether a script of the page's own origin may run by these sources, and by which
// nonce.
func script(sources []string) (nonce string, ok bool) {
	if own(sources) && !has(sources, "'strict-dynamic'") {
		return "", true
	}
	for _, s := range sources {
		if len(s) > len("'nonce-'") && strings.EqualFold(s[:len("'nonce-")], "'nonce-") && s[len(s)-1] == '\'' {
			if nonce = s[len("'nonce-") : len(s)-1]; isNonce(nonce) {
				return nonce, true
			}
		}
	}
	return "", false
}

// own reports whether sources have the page's own origin among them. A host that is named may be
// that one; it is not taken for it.
func own(sources []string) bool {
	return has(sources, "'self'") || has(sources, "*") || has(sources, "http:")
}

func has(sources []string, word string) bool {
	return slices.ContainsFunc(sources, func(s string) bool { return strings.EqualFold(s, word) })
}

// isNonce reports whether text is one by the grammar of CSP, which is also safe in an attribute.
func isNonce(text string) bool {
	body := strings.TrimRight(text, "=")
	return body != "" && len(text)-len(body) <= 2 && strings.Trim(body, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/-_") == ""
}
