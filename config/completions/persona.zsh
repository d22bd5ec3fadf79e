#compdef persona
# Completion of persona's commands, options and names in zsh. What there is, persona itself knows.

_persona() {
    local -a offers
    local line word
    for line in "${(@f)$(command persona complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        word=${line%%$'\t'*}
        if [[ $word == FILE ]]; then
            _files
            return
        fi
        [[ -n $word ]] || continue
        # A colon would end the word.
        offers+=("${word//:/\\:}${${line#$word}/#$'\t'/:}")
    done
    _describe persona offers
}

_persona "$@"
