# Completion of estela for fish: estela completion fish | source
function __estela_complete
	set -l words (commandline -opc)
	set -l current (commandline -ct)
	set -l found ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
	if set -q found[1]
		printf '%s\n' $found
	else
		__fish_complete_path "$current"
	end
end
complete -c estela -f -a '(__estela_complete)'
