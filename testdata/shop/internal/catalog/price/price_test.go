package price

import "testing"

func TestFormat(t *testing.T) {
	for cents, want := range map[int64]string{
		0:           "0.00 EUR",
		7:           "0.07 EUR",
		99_999:      "999.99 EUR",
		100_000:     "1,000.00 EUR",
		123_456_789: "1,234,567.89 EUR",
		-150:        "-1.50 EUR",
	} {
		if got := Format(cents); got != want {
			t.Errorf("Format(%d) = %q, want %q", cents, got, want)
		}
	}
}
