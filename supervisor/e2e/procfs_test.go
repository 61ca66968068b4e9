package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// children of a process, by what /proc says.
func children(pid int) []int {
	var found []int
	for child, st := range stats() {
		if st.parent == pid {
			found = append(found, child)
		}
	}
	return found
}

func zombiesUnder(pid int) []string {
	var found []string
	all := stats()
	for _, child := range children(pid) {
		if all[child].state == "Z" {
			found = append(found, fmt.Sprintf("%d %s", child, all[child].name))
		}
		found = append(found, zombiesUnder(child)...)
	}
	return found
}

type stat struct {
	name, state string
	parent      int
}

func stats() map[int]stat {
	all := map[int]stat{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		var pid int
		var st stat
		text := string(data)
		end := strings.LastIndexByte(text, ')')
		fmt.Sscanf(text, "%d", &pid)
		fmt.Sscanf(text[end+1:], " %s %d", &st.state, &st.parent)
		st.name = text[strings.IndexByte(text, '(')+1 : end]
		all[pid] = st
	}
	return all
}
