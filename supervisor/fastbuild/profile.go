package fastbuild

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// profiled takes up how the profile is prepared. The go command gives one to all packages of a program,
// or none to any.
func (p *Plan) profiled(dry *dryRun) *Refusal {
	if len(dry.profiles) > 1 {
		return refuse(Profile, "there is more than one")
	}
	made := ""
	for _, c := range dry.profiles {
		p.profile = &c
		made, _ = c.value("-o")
		if len(c.args) != 4 || !slices.Contains(c.args, "-i") || !strings.HasPrefix(made, work+"/") {
			return refuse(Profile, "how it is prepared")
		}
	}
	for _, pkg := range p.packages {
		for _, arg := range pkg.compile.args {
			if name, joined := strings.CutPrefix(arg, "-pgoprofile"); joined && name != "="+made {
				return refuse(Profile, pkg.Path)
			}
		}
	}
	return nil
}

// profileSource is the profile that the user has given.
func (p *Plan) profileSource() string {
	source, _ := p.profile.value("-i")
	return p.profile.absolute(source)
}

// takeProfile prepares the profile for all builds by the plan: with another profile it is another plan.
func (b *run) takeProfile(ctx context.Context) error {
	p := b.plan
	if p.profile == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(b.preparedFile()), 0o700); err != nil {
		return err
	}
	if err := b.tool(ctx, *p.profile); err != nil {
		return fmt.Errorf("prepare the profile: %w", err)
	}
	var err error
	if p.prepared, err = os.ReadFile(b.preparedFile()); err != nil {
		return fmt.Errorf("read the prepared profile: %w", err)
	}
	in := input{p.profileSource(), content}
	if now, err := in.look(p.inputs[in]); err != nil || now.stamp != p.inputs[in].stamp {
		return refuse(Written, in.name)
	}
	return nil
}

// writeProfile puts the prepared profile where the compiler looks for it.
func (b *run) writeProfile() error {
	if b.plan.profile == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(b.preparedFile()), 0o700); err != nil {
		return err
	}
	return os.WriteFile(b.preparedFile(), b.plan.prepared, 0o600)
}

func (b *run) preparedFile() string {
	made, _ := b.plan.profile.value("-o")
	return filepath.Join(b.folder, strings.TrimPrefix(made, work+"/"))
}
