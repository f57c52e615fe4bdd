// Names and enumerations.
namespace OpenFeature.Constant;

public enum ErrorType
{
    None,
    ProviderNotReady,
    FlagNotFound,
    ParseError,
    TypeMismatch,
    General,
    InvalidContext,
    TargetingKeyMissing,
    ProviderFatal,
}

public enum ProviderEventTypes
{
    ProviderReady,
    ProviderError,
    ProviderConfigurationChanged,
    ProviderStale,
}

public enum ProviderStatus
{
    NotReady,
    Ready,
    Stale,
    Error,
    Fatal,
}

public static class Reason
{
    public const string TargetingMatch = "TARGETING_MATCH";
    public const string Split = "SPLIT";
    public const string Disabled = "DISABLED";
    public const string Default = "DEFAULT";
    public const string Static = "STATIC";
    public const string Cached = "CACHED";
    public const string Unknown = "UNKNOWN";
    public const string Error = "ERROR";
}
