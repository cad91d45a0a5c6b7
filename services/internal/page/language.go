package page

import "maps"

// inSpanish are the pages' texts in Spanish.
var inSpanish = merged(commonSpanish, datasetSpanish, referenceSpanish, querySpanish, rejectSpanish)

func merged(all ...map[string]string) map[string]string {
	m := map[string]string{}
	for _, one := range all {
		maps.Copy(m, one)
	}
	return m
}

// commonSpanish are the texts that several pages have, and the overview's.
var commonSpanish = map[string]string{ //nolint:gosec // texts about keys, none of them a key
	"Overview":                            "Resumen",
	"Skip to the content":                 "Ir al contenido",
	"Pages":                               "Páginas",
	"Reference":                           "Referencia",
	"State":                               "Estado",
	"All checks pass.":                    "Todas las comprobaciones pasan.",
	"Fix":                                 "Solución",
	"pipeline":                            "pipeline",
	"if this stays, see the process' log": "si esto persiste, consulte el log del proceso",
	"The checks are still running.":       "Las comprobaciones aún están en curso.",
	"Datasets":                            "Datasets",
	"Rates now and over the last five minutes. An entry of a stream has one event or several.": "Tasas actuales y de los últimos cinco minutos. Una entrada de un stream tiene uno o varios eventos.",
	"Published entries":     "Entradas publicadas",
	"Stored events":         "Eventos almacenados",
	"Rejected events":       "Eventos rechazados",
	"Stored in all":         "Almacenados en total",
	"Rejected in all":       "Rechazados en total",
	"99 % queryable within": "99 % consultable en",
	"starting":              "iniciando", "taking over": "asumiendo el shard", "owned by another worker": "de otro worker",
	"Lag":        "Desfase",
	"entries":    "entradas",
	"Objectives": "Objetivos",
	"As this process has met them since its start.": "Tal como este proceso los ha cumplido desde su inicio.",
	"Objective":         "Objetivo",
	"Target":            "Meta",
	"Now":               "Ahora",
	"Error budget left": "Presupuesto de error restante",
	"Shards":            "Shards",
	"Dataset":           "Dataset",
	"Shard":             "Shard",
	"Owner":             "Propietario",
	"Position":          "Posición",
	"Stored":            "Almacenado",
	"Rejected":          "Rechazado",
	"Lag in entries":    "Desfase en entradas",
	"Age of the oldest": "Antigüedad de la más antigua",
	"Last commit, ago":  "Última confirmación, hace",
	"this process":      "este proceso",
	"nobody":            "nadie",
	"The pipeline runs in another process: its own page shows what it does.":                                           "El pipeline corre en otro proceso: la página de aquel muestra lo que hace.",
	"The pipeline's state, rows, rejects and SQL need a key with the right to inspect: estela key new NAME --inspect.": "El estado del pipeline, las filas, los rechazos y SQL requieren una llave con derecho a inspeccionar: estela key new NOMBRE --inspect.",
	"Endpoints":                   "Endpoints",
	"No endpoint is open to you.": "Ningún endpoint está abierto para usted.",
	"Nothing is here.":            "Aquí no hay nada.",
	"Open the page":               "Abrir la página",
	"A page of another site asks for this one. It could have queries run here, so open it from here.": "Una página de otro sitio pide esta. Podría hacer ejecutar consultas aquí; ábrala desde aquí.",
	"This page needs a key with the right to inspect: estela key new NAME --inspect.":                 "Esta página requiere una llave con derecho a inspeccionar: estela key new NOMBRE --inspect.",
	"Events are queryable within 5 s":  "Los eventos son consultables en 5 s",
	"No published event is missing":    "No falta ningún evento publicado",
	"Events keep their contract":       "Los eventos cumplen su contrato",
	"Reads are answered":               "Las lecturas se responden",
	"Reads are answered within 256 ms": "Las lecturas se responden en 256 ms",
}
