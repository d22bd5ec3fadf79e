# Completion of persona's commands, options and names in fish. What there is, persona itself knows.

function __persona_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l offers (command persona complete -- $words[2..] (commandline --current-token --cut-at-cursor) 2>/dev/null)
    if test "$offers" = FILE
        __fish_complete_path (commandline --current-token --cut-at-cursor)
    else
        printf '%s\n' $offers
    end
end

complete --command persona --no-files --arguments '(__persona_complete)'
