package logline

import (
	"errors"
	"fmt"
	"testing"
)

func TestHintOf(t *testing.T) {
	cause := errors.New("no npx")
	hinted := WithHint(cause, "install it")
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"none":                 {nil, ""},
		"without one":          {cause, ""},
		"its own":              {hinted, "install it"},
		"of what is wrapped":   {fmt.Errorf("start hook: %w", hinted), "install it"},
		"the outermost":        {WithHint(fmt.Errorf("start hook: %w", hinted), "name another"), "name another"},
		"an empty one is none": {WithHint(fmt.Errorf("start hook: %w", hinted), ""), "install it"},
		"of the first joined":  {errors.Join(cause, hinted), "install it"},
	} {
		if got := HintOf(tt.err); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	if hinted.Error() != "no npx" || !errors.Is(hinted, cause) {
		t.Errorf("%v is another error than its cause", hinted)
	}
}
