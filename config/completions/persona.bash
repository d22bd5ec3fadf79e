# Completion of persona's commands, options and names in bash. What there is, persona itself knows.

_persona() {
    local line word
    COMPREPLY=()
    # The words as they are typed: bash takes `=` for a word of its own (COMP_WORDBREAKS).
    local -a words=()
    local index
    for ((index = 1; index <= COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        if [[ ${#words[@]} -gt 0 && ($word == = || ${COMP_WORDS[index - 1]} == =) ]]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
    done
    while IFS= read -r line; do
        word=${line%%$'\t'*}
        if [[ $word == FILE ]]; then
            compopt -o default
            return
        fi
        # What stands before `=` is there already.
        [[ $word == *=* ]] && word=${word#*=}
        COMPREPLY+=("$word")
    done < <(command persona complete -- "${words[@]}" 2>/dev/null)
}

complete -F _persona persona
