package login

import "testing"

func TestTreat(t *testing.T) {
	app := Owner{Gen: 1}
	for name, c := range map[string]struct {
		owner  Owner
		relays bool
		want   treatment
	}{
		"a stranger": {Owner{}, true, asStranger},
		"a stranger, where nothing may be relayed": {Owner{}, false, asStranger},
		"the app":                               {app, true, passedOn},
		"the app, where nothing may be relayed": {app, false, mismatched},
	} {
		if got := treat(c.owner, c.relays); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if got := termsFor(app); got != hiddenPassword {
		t.Errorf("another user of the system's: %v", got)
	}
	if got := termsFor(Owner{1, true}); got != noPassword {
		t.Errorf("our own user: %v", got)
	}
}
