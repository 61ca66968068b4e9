// Package price writes amounts of money for people.
package price

import "fmt"

// List names the price list in force.
const List = "prices-1"

// Format writes an amount of cents, such as "1,250.00 EUR".
func Format(cents int64) string {
	sign := ""
	if cents < 0 {
		sign, cents = "-", -cents
	}
	return fmt.Sprintf("%s%s.%02d EUR", sign, group(cents/100), cents%100)
}

// group puts a comma between each three digits.
func group(n int64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", group(n/1000), n%1000)
}
