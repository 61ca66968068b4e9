// Package catalog holds the rules for what the shop sells: it decides, and
// knows neither HTTP nor the database.
package catalog

import (
	"errors"
	"strings"

	"example.com/shop/internal/catalog/price"
)

// Draft is a model that somebody wants to sell.
type Draft struct {
	OwnerID    int64  `json:"owner_id"`
	Name       string `json:"name"`
	PriceCents int64  `json:"price_cents"`
}

// maxPrice is a guess at what is a slip of the keyboard: a million.
const maxPrice = 1_000_000_00

// Check says, for people, why a draft cannot be sold.
func (d Draft) Check() error {
	switch {
	case d.OwnerID <= 0:
		return errors.New("owner_id is missing")
	case strings.TrimSpace(d.Name) == "":
		return errors.New("name is missing")
	case d.PriceCents < 0:
		return errors.New("price_cents is below zero")
	case d.PriceCents > maxPrice:
		return errors.New("price_cents is above " + price.Format(maxPrice))
	}
	return nil
}

// Verdict is what becomes of a model that waits for approval.
type Verdict string

// The verdicts there are.
const (
	Approved Verdict = "approved"
	Rejected Verdict = "rejected"
)

// PriceList names the price list in force.
func PriceList() string { return price.List }
