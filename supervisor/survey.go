package supervisor

import (
	"context"

	"github.com/devguard/devguard/supervisor/classify"
	"github.com/devguard/devguard/supervisor/config"
	"github.com/devguard/devguard/supervisor/watch"
)

// Survey is what a run would watch, and how.
type Survey struct {
	Graph   *classify.Graph // nil for a command, and when nothing can be listed
	Err     error           // why the packages of the app cannot all be listed
	Plan    watch.Plan
	Options watch.Options // without a directory of its own
}

// NewSurvey asks the go command as a run does at its start.
func NewSurvey(ctx context.Context, cfg *config.Config, environ []string) Survey {
	g, err := load(ctx, cfg, environ, nil)
	return Survey{g, err, watchPlan(cfg, g), watchOptions(cfg, "")}
}
