package cmd

import (
	"os/exec"
	"strings"
	"testing"
)

// TestManual: the page has each verb with its help and each flag that is listed, and nothing in it is
// taken for an instruction.
func TestManual(t *testing.T) {
	page := Manual()
	for _, v := range Verbs() {
		if !strings.Contains(page, "\n.SH devguard "+roff(v.Name)+"\n") || !strings.Contains(page, roff(v.Help)) {
			t.Errorf("the page has no section of %s with its help", v.Name)
		}
		for _, flag := range v.Flags {
			if text := manualFlag(flag); text != "" && !strings.Contains(page, text) {
				t.Errorf("the page has no flag %s of %s", flag.Names()[0], v.Name)
			}
		}
	}
	for line := range strings.SplitSeq(page, "\n") {
		macro, _, _ := strings.Cut(line, " ")
		if strings.HasPrefix(line, "'") || strings.HasPrefix(line, ".") && !strings.Contains(".TH .SH .B .I .TP .PP .br .nf .fi", macro) {
			t.Errorf("an instruction that is none of ours: %q", line)
		}
	}
	if strings.Contains(page, "gcflags") {
		t.Error("the flags of go build are in the page")
	}
}

// TestManualIsRoff has groff read the page, where there is one.
func TestManualIsRoff(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil {
		return // nothing that devguard or its tests need
	}
	cmd := exec.Command(groff, "-man", "-ww", "-Tascii", "-rLL=100n")
	cmd.Stdin = strings.NewReader(Manual())
	var warnings strings.Builder
	cmd.Stderr = &warnings
	out, err := cmd.Output()
	if err != nil || warnings.Len() > 0 || !strings.Contains(string(out), "devguard run ./cmd/app -- -port 80") {
		t.Errorf("%v: %s\n%s", err, warnings.String(), out)
	}
}
