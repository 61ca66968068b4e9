package catalog

import "testing"

func TestDraftCheck(t *testing.T) {
	for _, c := range []struct {
		name  string
		draft Draft
		want  string
	}{
		{"good", Draft{OwnerID: 1, Name: "Engine", PriceCents: 100}, ""},
		{"free", Draft{OwnerID: 1, Name: "Engine"}, ""},
		{"nobody's", Draft{Name: "Engine"}, "owner_id is missing"},
		{"blank", Draft{OwnerID: 1, Name: " \t"}, "name is missing"},
		{"negative", Draft{OwnerID: 1, Name: "Engine", PriceCents: -1}, "price_cents is below zero"},
		{"too dear", Draft{OwnerID: 1, Name: "Engine", PriceCents: maxPrice + 1}, "price_cents is above 1,000,000.00 EUR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			if err := c.draft.Check(); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("Check() = %q, want %q", got, c.want)
			}
		})
	}
}
