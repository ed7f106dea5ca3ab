"""The words of notices, by language: ``NoticeTexts`` and the catalogue.

Every text is plain. A subject says what has happened and nothing of whose or on what, because a locked screen shows
it; no text holds a link, since a mail that asks people to click would train them for the one that steals from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final, cast

from ._languages import FALLBACK, tag_of
from .errors import ConfigurationError
from .told import NoticeKind

Words = Mapping[NoticeKind, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class NoticeTexts:
    """One language.

    Attributes:
        words: subject and first sentence, of every kind.
        when, where, method, about, behalf: labels of the details.
        unnamed: what a device without a label is called.
        usable_from: label of the time from which a new method counts.
        advice: what to do if it was not the person.
        methods: what methods are called; one that is missing is called by its own name.
    """

    words: Words
    when: str
    where: str
    method: str
    about: str
    behalf: str
    unnamed: str
    usable_from: str
    advice: str
    methods: Mapping[str, str]

    def __post_init__(self) -> None:
        for one in fields(self):
            value: object = getattr(self, one.name)
            if one.name in {"words", "methods"}:
                continue
            if not isinstance(value, str) or not value:
                raise ConfigurationError(f"NoticeTexts.{one.name} must be text.")
        for kind in NoticeKind:
            pair = cast("object", self.words.get(kind))
            if not isinstance(pair, tuple) or [type(text) for text in cast("tuple[object, ...]", pair)] != [str, str]:
                raise ConfigurationError(f"NoticeTexts.words needs a subject and a sentence for {kind.value!r}.")


_K = NoticeKind

ENGLISH: Final = NoticeTexts(
    words={
        _K.FACTOR_ADDED: (
            "A verification method was added to your account",
            "A verification method was added to your account.",
        ),
        _K.FACTOR_CHANGED: (
            "A verification method of your account was changed",
            "A verification method of your account was changed.",
        ),
        _K.FACTOR_REMOVED: (
            "A verification method was removed from your account",
            "A verification method was removed from your account.",
        ),
        _K.RECOVERY_CODE_USED: (
            "A recovery code was used on your account",
            "A recovery code was used on your account. That code cannot be used again.",
        ),
        _K.LOCKED_OUT: (
            "A verification method of your account was locked",
            "There were too many wrong answers, so a verification method of your account was locked for a while.",
        ),
        _K.SUCCESS_AFTER_FAILURES: (
            "Somebody got in after several wrong answers",
            "Several wrong answers were followed by a right one on your account.",
        ),
        _K.CODE_REPLAYED: (
            "A used code was tried again on your account",
            "A code that had been used before was tried again on your account. It opened nothing.",
        ),
        _K.APPROVAL_ASKED: ("Approval was asked for", "Approval was asked for from your account."),
        _K.APPROVAL_GIVEN: ("Your request was approved", "Somebody approved what was asked for from your account."),
        _K.APPROVAL_DENIED: ("Your request was denied", "Somebody denied what was asked for from your account."),
        _K.DEVICE_TRUSTED: (
            "A device is remembered on your account",
            "A device is remembered on your account and will be asked for proof less often.",
        ),
        _K.FACTOR_RENAMED: (
            "A verification method of your account has a new name",
            "A verification method of your account was given another name. It still proves the same.",
        ),
        _K.DEVICE_RENAMED: (
            "A remembered device of your account has a new name",
            "A remembered device of your account was given another name.",
        ),
    },
    when="When",
    where="Where",
    method="Method",
    about="Action",
    behalf="On behalf of",
    unnamed="an unnamed device",
    usable_from="It can be used from",
    advice="If this was not you, somebody may be using your account: end all sessions, change your password and "
    "contact support now.",
    methods={
        "passkey": "passkey",
        "totp": "authenticator app",
        "password": "password",
        "email_code": "code by mail",
        "recovery_code": "recovery code",
    },
)

GERMAN: Final = NoticeTexts(
    words={
        _K.FACTOR_ADDED: (
            "Ihrem Konto wurde ein Nachweis hinzugefügt",
            "Ihrem Konto wurde eine Möglichkeit hinzugefügt, sich auszuweisen.",
        ),
        _K.FACTOR_CHANGED: (
            "Ein Nachweis Ihres Kontos wurde geändert",
            "Eine Möglichkeit, sich für Ihr Konto auszuweisen, wurde geändert.",
        ),
        _K.FACTOR_REMOVED: (
            "Ein Nachweis Ihres Kontos wurde entfernt",
            "Eine Möglichkeit, sich für Ihr Konto auszuweisen, wurde entfernt.",
        ),
        _K.RECOVERY_CODE_USED: (
            "Ein Wiederherstellungscode Ihres Kontos wurde benutzt",
            "Ein Wiederherstellungscode Ihres Kontos wurde benutzt. Er gilt nun nicht mehr.",
        ),
        _K.LOCKED_OUT: (
            "Ein Nachweis Ihres Kontos wurde gesperrt",
            "Nach zu vielen falschen Antworten wurde eine Möglichkeit, sich auszuweisen, für einige Zeit gesperrt.",
        ),
        _K.SUCCESS_AFTER_FAILURES: (
            "Erfolg nach mehreren falschen Antworten",
            "Auf mehrere falsche Antworten folgte für Ihr Konto eine richtige.",
        ),
        _K.CODE_REPLAYED: (
            "Ein benutzter Code wurde noch einmal versucht",
            "Ein schon benutzter Code wurde für Ihr Konto noch einmal versucht. Er hat nichts geöffnet.",
        ),
        _K.APPROVAL_ASKED: (
            "Es wurde um Zustimmung gebeten",
            "Von Ihrem Konto aus wurde jemand um Zustimmung gebeten.",
        ),
        _K.APPROVAL_GIVEN: ("Ihrer Anfrage wurde zugestimmt", "Jemand hat einer Anfrage Ihres Kontos zugestimmt."),
        _K.APPROVAL_DENIED: ("Ihre Anfrage wurde abgelehnt", "Jemand hat eine Anfrage Ihres Kontos abgelehnt."),
        _K.DEVICE_TRUSTED: (
            "Ein Gerät wurde für Ihr Konto gemerkt",
            "Ein Gerät wurde für Ihr Konto gemerkt und muss sich nun seltener ausweisen.",
        ),
        _K.FACTOR_RENAMED: (
            "Ein Nachweis Ihres Kontos heißt jetzt anders",
            "Ein Nachweis Ihres Kontos wurde umbenannt. Er gilt wie zuvor.",
        ),
        _K.DEVICE_RENAMED: (
            "Ein gemerktes Gerät Ihres Kontos heißt jetzt anders",
            "Ein gemerktes Gerät Ihres Kontos wurde umbenannt.",
        ),
    },
    when="Wann",
    where="Wo",
    method="Nachweis",
    about="Aktion",
    behalf="Im Namen von",
    unnamed="ein Gerät ohne Namen",
    usable_from="Er gilt ab",
    advice="Wenn Sie das nicht waren, benutzt möglicherweise jemand Ihr Konto: Beenden Sie alle Sitzungen, ändern Sie "
    "Ihr Passwort und melden Sie sich sofort beim Support.",
    methods={
        "passkey": "Passkey",
        "totp": "Authentifizierungs-App",
        "password": "Passwort",
        "email_code": "Code per E-Mail",
        "recovery_code": "Wiederherstellungscode",
    },
)

FRENCH: Final = NoticeTexts(
    words={
        _K.FACTOR_ADDED: (
            "Un moyen de vérification a été ajouté à votre compte",
            "Un moyen de vérification a été ajouté à votre compte.",
        ),
        _K.FACTOR_CHANGED: (
            "Un moyen de vérification de votre compte a été modifié",
            "Un moyen de vérification de votre compte a été modifié.",
        ),
        _K.FACTOR_REMOVED: (
            "Un moyen de vérification de votre compte a été supprimé",
            "Un moyen de vérification de votre compte a été supprimé.",
        ),
        _K.RECOVERY_CODE_USED: (
            "Un code de secours de votre compte a été utilisé",
            "Un code de secours de votre compte a été utilisé. Il ne peut plus servir.",
        ),
        _K.LOCKED_OUT: (
            "Un moyen de vérification de votre compte est bloqué",
            "Après trop de réponses fausses, un moyen de vérification de votre compte est bloqué pour un moment.",
        ),
        _K.SUCCESS_AFTER_FAILURES: (
            "Un succès après plusieurs réponses fausses",
            "Plusieurs réponses fausses ont été suivies d'une bonne réponse sur votre compte.",
        ),
        _K.CODE_REPLAYED: (
            "Un code déjà utilisé a été présenté de nouveau",
            "Un code déjà utilisé a été présenté de nouveau sur votre compte. Il n'a rien ouvert.",
        ),
        _K.APPROVAL_ASKED: ("Une approbation a été demandée", "Une approbation a été demandée depuis votre compte."),
        _K.APPROVAL_GIVEN: (
            "Votre demande a été approuvée",
            "Quelqu'un a approuvé une demande faite depuis votre compte.",
        ),
        _K.APPROVAL_DENIED: (
            "Votre demande a été refusée",
            "Quelqu'un a refusé une demande faite depuis votre compte.",
        ),
        _K.DEVICE_TRUSTED: (
            "Un appareil est mémorisé pour votre compte",
            "Un appareil est mémorisé pour votre compte ; une preuve lui sera demandée moins souvent.",
        ),
        _K.FACTOR_RENAMED: (
            "Un moyen de vérification de votre compte a été renommé",
            "Un moyen de vérification de votre compte a été renommé. Il vaut comme avant.",
        ),
        _K.DEVICE_RENAMED: (
            "Un appareil mémorisé de votre compte a été renommé",
            "Un appareil mémorisé de votre compte a été renommé.",
        ),
    },
    when="Quand",
    where="Où",
    method="Moyen",
    about="Action",
    behalf="Au nom de",
    unnamed="un appareil sans nom",
    usable_from="Utilisable à partir du",
    advice="Si ce n'était pas vous, quelqu'un utilise peut-être votre compte : fermez toutes les sessions, changez "
    "votre mot de passe et contactez l'assistance immédiatement.",
    methods={
        "passkey": "clé d'accès",
        "totp": "application d'authentification",
        "password": "mot de passe",
        "email_code": "code par e-mail",
        "recovery_code": "code de secours",
    },
)

SPANISH: Final = NoticeTexts(
    words={
        _K.FACTOR_ADDED: (
            "Se ha añadido un método de verificación a su cuenta",
            "Se ha añadido un método de verificación a su cuenta.",
        ),
        _K.FACTOR_CHANGED: (
            "Se ha cambiado un método de verificación de su cuenta",
            "Se ha cambiado un método de verificación de su cuenta.",
        ),
        _K.FACTOR_REMOVED: (
            "Se ha quitado un método de verificación de su cuenta",
            "Se ha quitado un método de verificación de su cuenta.",
        ),
        _K.RECOVERY_CODE_USED: (
            "Se ha usado un código de recuperación de su cuenta",
            "Se ha usado un código de recuperación de su cuenta. Ya no sirve.",
        ),
        _K.LOCKED_OUT: (
            "Se ha bloqueado un método de verificación de su cuenta",
            "Tras demasiadas respuestas erróneas se ha bloqueado por un tiempo un método de verificación de su cuenta.",
        ),
        _K.SUCCESS_AFTER_FAILURES: (
            "Un acierto tras varias respuestas erróneas",
            "Tras varias respuestas erróneas hubo una correcta en su cuenta.",
        ),
        _K.CODE_REPLAYED: (
            "Se ha vuelto a probar un código ya usado",
            "Se ha vuelto a probar en su cuenta un código ya usado. No ha abierto nada.",
        ),
        _K.APPROVAL_ASKED: ("Se ha pedido una aprobación", "Se ha pedido una aprobación desde su cuenta."),
        _K.APPROVAL_GIVEN: ("Su petición ha sido aprobada", "Alguien ha aprobado una petición de su cuenta."),
        _K.APPROVAL_DENIED: ("Su petición ha sido denegada", "Alguien ha denegado una petición de su cuenta."),
        _K.DEVICE_TRUSTED: (
            "Se recuerda un dispositivo en su cuenta",
            "Se recuerda un dispositivo en su cuenta; se le pedirán pruebas con menos frecuencia.",
        ),
        _K.FACTOR_RENAMED: (
            "Se ha cambiado el nombre de un método de verificación de su cuenta",
            "Se ha cambiado el nombre de un método de verificación de su cuenta. Sigue valiendo igual.",
        ),
        _K.DEVICE_RENAMED: (
            "Se ha cambiado el nombre de un dispositivo recordado de su cuenta",
            "Se ha cambiado el nombre de un dispositivo recordado de su cuenta.",
        ),
    },
    when="Cuándo",
    where="Dónde",
    method="Método",
    about="Acción",
    behalf="En nombre de",
    unnamed="un dispositivo sin nombre",
    usable_from="Se puede usar desde",
    advice="Si no ha sido usted, es posible que alguien esté usando su cuenta: cierre todas las sesiones, cambie su "
    "contraseña y contacte ahora con el servicio de ayuda.",
    methods={
        "passkey": "llave de acceso",
        "totp": "aplicación de autenticación",
        "password": "contraseña",
        "email_code": "código por correo",
        "recovery_code": "código de recuperación",
    },
)

CATALOGUE: Final[Mapping[str, NoticeTexts]] = MappingProxyType(
    {FALLBACK: ENGLISH, "de": GERMAN, "es": SPANISH, "fr": FRENCH}
)


def catalogue(texts: Mapping[str, NoticeTexts]) -> Mapping[str, NoticeTexts]:
    """The shipped languages with those of *texts* added or put in their place.

    Raises:
        ConfigurationError: for a value that is not ``NoticeTexts``.
    """
    merged = dict(CATALOGUE)
    for tag, one in texts.items():
        if not isinstance(one, NoticeTexts):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
            raise ConfigurationError(f"Notices(texts=) holds a {type(one).__name__} for {tag!r}, not NoticeTexts.")
        merged[tag_of(tag)] = one
    return MappingProxyType(merged)
