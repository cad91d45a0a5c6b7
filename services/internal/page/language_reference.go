package page

// referenceSpanish are the texts of reference.go and its template.
var referenceSpanish = map[string]string{}
