package statedir

import "testing"

// Whatever is in a file: no panic, and nothing that would widen whose processes
// and sessions are taken for ours.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"pid":12}`, `{"pid":-1}`, `null`, `{}`, `[]`, `{"a":"b"}`, `{"a":1}`, `["` + "0123456789abcdef" + `",""]`,
		`[{"gen":1,"app":{"pid":5,"start_time":"b 1"},"pgid":5,"guardians":[{"pid":0,"start_time":""}]}]`,
		`[{"gen":1,"app":{"pid":-1,"start_time":"x"},"pgid":-1}]`, `[{"app":{"pid":1,"start_time":"x"},"pgid":1}]`, "{\"a\":", "\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c control
		_ = parseControl(&c)(b)
		if c.PID < 0 {
			t.Errorf("pid %d", c.PID)
		}
		var runs []string
		_ = parseRuns(&runs)(b)
		for _, id := range runs {
			if len(id) < 16 {
				t.Errorf("run id %q", id)
			}
		}
		var records []record
		_ = parseInstances(&records)(b)
		for _, r := range records {
			if r.App.PID <= 1 || r.Group <= 1 || r.App.Start == "" {
				t.Errorf("record %+v", r)
			}
		}
	})
}
