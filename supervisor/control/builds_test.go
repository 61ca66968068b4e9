package control

import (
	"encoding/json"
	"testing"

	"github.com/devguard/devguard/supervisor/reload"
)

func TestBuilds(t *testing.T) {
	for want, snap := range map[string]reload.Snapshot{
		`{"mode":"off","fast":0,"refused":[],"verified":0,"differed":0}`: {},
		`{"mode":"auto","fast":3,"refused":[{"reason":"imports changed","builds":2}],"verified":1,"differed":0}`: {
			Fast: true, Builds: reload.Builds{Fast: 3, Verified: 1, ByGo: []reload.Refused{{Reason: "imports changed", Builds: 2}}},
		},
	} {
		if got, err := json.Marshal(buildsOf(snap)); err != nil || string(got) != want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
}
