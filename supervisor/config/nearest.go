package config

import "strings"

// Nearest returns the candidate that word was probably meant to be, or "" when
// none is close. Earlier candidates win ties.
func Nearest(word string, candidates []string) string {
	best, least := "", 1+max(1, len(word)/3) // a third of the letters wrong is no longer a typing error; a guess
	for _, candidate := range candidates {
		if d := distance(strings.ToLower(word), strings.ToLower(candidate)); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// nearestKey is Nearest for keys with a path: first among the keys of the same
// table, then a key of that very name in another table.
func nearestKey(key string, keys []string) string {
	table, last := splitKey(key)
	var siblings, namesakes []string
	for _, candidate := range keys {
		where, name := splitKey(candidate)
		if where == table {
			siblings = append(siblings, name)
		}
		if name == last {
			namesakes = append(namesakes, candidate)
		}
	}
	if near := Nearest(last, siblings); near != "" {
		return table + near
	}
	if len(namesakes) > 0 {
		return namesakes[0]
	}
	return ""
}

// splitKey splits "hook.watch" into "hook." and "watch".
func splitKey(key string) (table, name string) {
	i := strings.LastIndexByte(key, '.') + 1
	return key[:i], key[i:]
}

// distance counts the letters to insert, remove, replace or swap with their
// neighbour to make b of a (optimal string alignment). Words longer than any
// key are not worth comparing and are infinitely far.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return 2 * longest
	}
	var older, old, row [longest + 1]int
	for j := range len(b) + 1 {
		old[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(old[j]+1, row[j-1]+1, old[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
		older, old = old, row
	}
	return old[len(b)]
}
